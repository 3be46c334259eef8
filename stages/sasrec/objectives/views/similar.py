"""Which items are similar: those that the same users took, by the training sequences alone.

Shapes: N items, k similar ones each.

By cosines (data/cosines.py). CoSeRec counts with weights by the users' lengths, and later goes over
to the model's own embeddings; this is computed once, at the start.
"""

import numpy as np
import torch
from torch import Tensor

from sasrec.data.cosines import cosines
from sasrec.data.sequences import Sequences
from sasrec.objectives.negatives import random_below


class SimilarItems:
    """Draws items similar to given ones, on a device.

    Args:
        sequences: of training.
        count: k; each draw is one of an item's k most similar ones, each as likely. Where fewer
            share a user with it, the item itself stands for those that lack.
    """

    def __init__(
        self, sequences: Sequences, num_items: int, count: int, device: torch.device
    ) -> None:
        self._sequences, self._num_items, self._count = sequences, num_items, count
        self._device = device
        self._table: Tensor | None = None  # int64 [N + 1, k]

    def find(self) -> None:
        """Find them, once; only augmentations that draw take this time."""
        if self._table is None:
            found = most_similar(self._sequences, self._num_items, self._count)
            self._table = torch.from_numpy(found).to(self._device)

    def draw(self, items: Tensor, generator: torch.Generator | None) -> Tensor:
        """One item for each of `items` (int64, any shape, 0 gives 0): int64 of that shape."""
        if self._count == 1:
            return self._table[:, 0][items]
        return self._table[items, random_below(torch.full_like(items, self._count), generator)]


def most_similar(sequences: Sequences, num_items: int, count: int) -> np.ndarray:
    """int64 [N + 1, count], the most similar first, of equals the lower id; see `SimilarItems`."""
    rows = cosines(sequences, num_items, keep=count)
    owners = np.repeat(np.arange(num_items + 1), np.diff(rows.offsets))
    order = np.lexsort((rows.columns, -rows.values, owners))
    ranks = np.arange(len(owners)) - rows.offsets[owners]
    found = np.arange(num_items + 1)[:, None].repeat(count, 1)
    found[owners, ranks] = rows.columns[order]
    return found
