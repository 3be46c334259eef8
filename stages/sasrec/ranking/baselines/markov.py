"""A first-order Markov chain of items: what followed the latest item, by how often it did.

That is the paper's FMC (factorised Markov chain) without factors: the counts themselves.
"""

import numpy as np

from sasrec.data.sequences import Sequences
from sasrec.data.sparse_rows import count_pairs
from sasrec.ranking.baselines.item_scores import Baseline, popularity_of


def fit_markov(train: Sequences, num_items: int) -> Baseline:
    """Count how often each item follows each other one in `train`."""
    follows = np.ones(len(train.items), np.bool)
    begins = train.offsets[:-1]
    follows[begins[begins < len(follows)]] = False  # another user's item stands before it
    after = np.flatnonzero(follows)
    counts = count_pairs(train.items[after - 1], train.items[after], num_items)
    return Baseline(counts, recent=1, popularity=popularity_of(train, num_items))
