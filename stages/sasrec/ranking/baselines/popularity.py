"""The items that occur most often in the training sequences: the same for everyone (PopRec)."""

from sasrec.data.sequences import Sequences
from sasrec.ranking.baselines.item_scores import Baseline, popularity_of


def fit_popularity(train: Sequences, num_items: int) -> Baseline:
    """Count items."""
    return Baseline(rows=None, recent=0, popularity=popularity_of(train, num_items))
