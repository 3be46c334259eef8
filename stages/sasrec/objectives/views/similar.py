"""Which items are similar: those that the same users took, by the training sequences alone.

Shapes: N items, k similar ones each.

The cosine of items i and j as sets of users, n_ij / sqrt(n_i n_j), where n_ij users have both.
CoSeRec counts with weights by the users' lengths, and later goes over to the model's own
embeddings; this is computed once, at the start.
"""

import numpy as np
import torch
from torch import Tensor

from sasrec.data.sequences import Sequences
from sasrec.objectives.negatives import random_below

COUNTED_AT_ONCE = 1 << 22  # interactions of the users of an item: 32 MiB of them


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
    users = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    pairs = np.unique(users * (num_items + 1) + sequences.items)  # each item of a user once
    users, items = np.divmod(pairs, num_items + 1)
    counts = np.bincount(items, minlength=num_items + 1)
    known = np.split(items, np.bincount(users, minlength=len(sequences.lengths)).cumsum()[:-1])
    users = users[np.argsort(items, kind="stable")]  # those of item 1, those of item 2, ...
    found = np.arange(num_items + 1)[:, None].repeat(count, 1)
    for item, stop in enumerate(counts.cumsum()):
        those = users[stop - counts[item] : stop]
        others, shared = _count([known[user] for user in those], num_items)
        shared = np.where(others == item, 0, shared / np.sqrt(np.maximum(counts[others], 1)))
        best = _largest(shared, count)
        found[item, : len(best)] = others[best]
    return found


def _count(histories: list[np.ndarray], num_items: int) -> tuple[np.ndarray, np.ndarray]:
    """Items in rising order, and how many of `histories` hold each."""
    together = sum(map(len, histories))
    if together * 8 < num_items:  # so few of all items that sorting is less work
        return np.unique(np.concatenate([*histories, np.empty(0, np.int64)]), return_counts=True)
    counts = np.zeros(num_items + 1, np.int64)
    several = max(1, len(histories) * COUNTED_AT_ONCE // max(1, together))
    for start in range(0, len(histories), several):
        held = np.concatenate(histories[start : start + several])
        counts += np.bincount(held, minlength=num_items + 1)
    return np.arange(num_items + 1), counts


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Where the `count` largest positive values stand, falling, of equals the first one first."""
    places = np.flatnonzero(values)
    if len(places) > count:
        least = np.partition(values[places], -count)[-count]
        places = places[values[places] >= least]
    return places[np.argsort(-values[places], kind="stable")][:count]
