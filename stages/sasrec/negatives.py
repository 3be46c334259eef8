"""Negatives for training: uniform over the items outside the user's training history.

The authors draw one a position, anew every epoch (sampler.py). Here too, by `unseen.py`: a fixed
number of random draws and of fixed shapes, so that it runs on a GPU without waiting for it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.errors import UserError
from sasrec.sequences import Sequences
from sasrec.unseen import UnseenItems, unseen_items


@dataclass(frozen=True)
class NegativeSampler:
    """`UnseenItems` as tensors on one device; see there for the attributes."""

    num_items: int
    keys: Tensor
    starts: Tensor
    counts: Tensor

    @classmethod
    def build(cls, unseen: UnseenItems, device: torch.device) -> "NegativeSampler":
        arrays = (unseen.keys, unseen.starts, unseen.counts)
        return cls(unseen.num_items, *(torch.from_numpy(array).to(device) for array in arrays))

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """One item for each entry of `rows` (int64, any shape): int64 of that shape."""
        # 62 random bits modulo the count: off from uniform by less than count / 2^62.
        bits = torch.randint(1 << 62, rows.shape, generator=generator, device=rows.device)
        rank = bits % self.counts[rows]
        below = torch.searchsorted(self.keys, rows * self.num_items + rank, right=True)
        return rank + 1 + below - self.starts[rows]


def check_unseen_exist(sequences: Sequences, num_items: int) -> None:
    """Raise UserError if some user interacted with every item: no negative can be drawn."""
    for user in np.flatnonzero(sequences.lengths >= num_items):
        if unseen_items(sequences, np.array([user]), num_items).counts[0] == 0:
            raise UserError(
                f"user {user} interacted with all {num_items} items in training: "
                "no item is left to draw a negative from"
            )
