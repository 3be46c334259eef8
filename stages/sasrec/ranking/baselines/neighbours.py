"""Item neighbours: what the users of the latest items also interacted with.

An item's score is the sum of its cosines (data/cosines.py) with the latest items of the history.
"""

from sasrec.data.cosines import cosines
from sasrec.data.sequences import Sequences
from sasrec.ranking.baselines.item_scores import Baseline, popularity_of

# Items of the history that count: of 1, 2, 3, 5, 10 and all of them the best on validation of
# ML-100K and ML-1M (the whole history ranks far worse, since the latest items hardly weigh in it).
RECENT = 3
# Cosines that are kept, 8 bytes each: all of them for 5,792 items, else the greatest of each row.
MAX_KEPT = 1 << 25


def fit_neighbours(train: Sequences, num_items: int) -> Baseline:
    """Cosines between all items of `train`."""
    rows = cosines(train, num_items, keep=max(1, MAX_KEPT // num_items))
    return Baseline(rows, recent=RECENT, popularity=popularity_of(train, num_items))
