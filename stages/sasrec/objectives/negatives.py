"""Negatives for training: what a row of the table `NEGATIVES` (tables.py) draws, and how.

Every draw takes a fixed number of random numbers and has fixed shapes, so that it runs on a GPU
without waiting for it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.data.unseen import UnseenItems, unseen_items

# So many are drawn in one go: the work needs several arrays of them. On the CPU the random numbers
# of two goes are those of one.
DRAWN_AT_ONCE = 1 << 20


class Negatives(Protocol):
    """A way to draw negatives, made of the training sequences and the number of items."""

    def of(self, batch: TrainingBatch) -> "BatchNegatives":
        """Those of a batch; what its users do not know is found here, once."""


class BatchNegatives(Protocol):
    """Negatives of one batch of T slots."""

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """`count` items for each slot: int64 [T, count], arbitrary items at padding."""

    def log_odds(self, items: Tensor) -> Tensor:
        """Of `items` (int64 [T, K]) that were drawn: float32 [T, K].

        The logarithm of how many times likelier each is than if all items that the user does not
        know were equally likely.
        """


@dataclass(frozen=True)
class NegativeSampler:
    """Draws items outside the histories that `unseen` is of, on its device."""

    unseen: UnseenItems

    @classmethod
    def build(cls, unseen: UnseenItems, device: torch.device) -> Self:
        """Of `unseen` in numpy."""
        arrays = {name: getattr(unseen, name) for name in ("keys", "starts", "counts")}
        tensors = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        return cls(replace(unseen, **tensors, not_above=partial(torch.searchsorted, right=True)))

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One item for each entry of `rows` (int64 [T, ...]): int64 of that shape."""
        unseen = self.unseen
        return in_goes(
            rows, lambda part: unseen.nth(part, random_below(unseen.counts[part], generator))
        )


def in_goes(rows: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """`draw` of all `rows` (int64 [T, ...]), as many in a go as memory should hold."""
    each = max(1, DRAWN_AT_ONCE // max(1, math.prod(rows.shape[1:])))
    if len(rows) <= each:
        return draw(rows)
    drawn = torch.empty_like(rows, memory_format=torch.contiguous_format)
    for start in range(0, len(rows), each):
        drawn[start : start + each] = draw(rows[start : start + each])
    return drawn


def random_below(counts: Tensor, generator: torch.Generator) -> Tensor:
    """A whole number from 0 for each of `counts` (int64, 1 or more), and below it."""
    # 62 random bits modulo the count: off from uniform by less than count / 2^62.
    bits = torch.randint(1 << 62, counts.shape, generator=generator, device=counts.device)
    return bits % counts


def users_without_negatives(sequences: Sequences, num_items: int) -> np.ndarray:
    """The users (int64) who interacted with every item: no negative can be drawn for them."""
    long = np.flatnonzero(sequences.lengths >= num_items)
    left = [unseen_items(sequences, np.array([user]), num_items).counts[0] for user in long]
    return long[np.array(left, np.int64) == 0]
