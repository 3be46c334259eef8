"""Embeddings of items that training never saw, from what is known of them.

Shapes: N items, D hidden size, F features.

Training leaves a new item's embedding at random, or pushes it away as a negative. What is known of
items says where theirs lie on average: the embeddings of the items that training saw are regressed
on their features (ridge regression, which has a closed form, so nothing is learnt beside the
model), and a new item's becomes what its own features say. Ranking and recommending then need to
know nothing of it.
"""

import numpy as np
import torch

from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec

RIDGE = 1.0  # as if each weight had been seen to be 0 once
DECADE = 10  # years


def content_of(features: ItemFeatures) -> np.ndarray:
    """float64 [N + 1, F]: the share of each genre and an indicator of each decade; zeros where
    nothing is known."""
    counts = np.diff(features.offsets)
    rows = np.repeat(np.arange(len(counts)), counts)
    shares = np.zeros((len(counts), len(features.names)))
    shares[rows, features.genres] = 1 / counts[rows]
    decades = features.years // DECADE
    known = np.unique(decades[features.years > 0])
    return np.hstack([shares, decades[:, None] == known])


@torch.no_grad()
def fill_new_items(model: SASRec, features: ItemFeatures, sequences: Sequences) -> int:
    """Give the items outside the training `sequences`, of which something is known, embeddings.

    Returns: how many they are.
    """
    content = content_of(features)
    seen = np.bincount(sequences.items, minlength=len(content)) > 0
    new = ~seen & content.any(1)
    design = np.hstack([content, np.ones((len(content), 1))])  # with the mean, which is free
    penalty = RIDGE * np.diag([1.0] * content.shape[1] + [0.0])
    gram = design[seen].T @ design[seen] + penalty
    for table in model.item_tables:
        embedding = table.detach().cpu().numpy().astype(np.float64)
        weights = np.linalg.solve(gram, design[seen].T @ embedding[seen])
        filled = torch.from_numpy(design[new] @ weights).to(table)
        table[torch.from_numpy(np.flatnonzero(new)).to(table.device)] = filled
    return int(new.sum())
