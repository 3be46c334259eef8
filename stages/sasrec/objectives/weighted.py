"""Items outside a user's history drawn in proportion to weights, without rejection.

As in data/unseen.py, with weights: let C_i be the sum of the weights of items 1 to i, and
h_0 < h_1 < ... the user's items. Of the weight that they leave, a whole number r from 0 lies at

    r + the weights of all h_j with C_{h_j - 1} - (weights of h_0 ... h_{j-1}) <= r

of the weight of all items, and the item there is the first with C_i above it. Users' keys, each
shifted by a multiple of the whole weight + 1, are one sorted array: a draw is two binary searches.

Shapes: R rows (users), N items, M pairs of a row and an item that it knows.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from sasrec.data.sequences import Sequences
from sasrec.data.unseen import known_pairs


class KnownItems(NamedTuple):
    """What R users know: int64 tensors on one device.

    Attributes:
        rows, items: [M], pairs sorted by row, then item, each once.
        starts: [R + 1], where each row's pairs begin, and M.
    """

    rows: Tensor
    items: Tensor
    starts: Tensor

    @classmethod
    def of(
        cls, sequences: Sequences, users: np.ndarray, num_items: int, device: torch.device
    ) -> Self:
        """Of `users` (int64 [R]), a row each."""
        rows, items = known_pairs(sequences, users, num_items)
        starts = np.zeros(len(users) + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=len(users)), out=starts[1:])
        return cls(*(torch.from_numpy(part).to(device) for part in (rows, items, starts)))


@dataclass(frozen=True)
class WeightedUnseen:
    """What R users do not know, by weight. Made by `of`.

    Attributes:
        ends: int64 [N], C_1 to C_N.
        before: int64 [M + 1], the weights of the pairs before each, over all rows.
        keys: int64 [M], sorted.
        starts: int64 [R + 1].
        left: int64 [R], the weight of the items that a row does not know; may be 0.
    """

    ends: Tensor
    before: Tensor
    keys: Tensor
    starts: Tensor
    left: Tensor

    @classmethod
    def of(cls, known: KnownItems, weights: Tensor) -> Self:
        """By `weights`, int64 [N + 1], 0 or more; entry 0 counts nothing."""
        ends = weights[1:].cumsum(0)
        before = torch.cat([ends.new_zeros(1), weights[known.items].cumsum(0)])
        of_row = before[known.starts]
        removed = before[:-1] - of_row[known.rows]
        first = ends[known.items - 1] - weights[known.items]  # C_{h - 1}
        keys = known.rows * (ends[-1] + 1) + first - removed
        return cls(ends, before, keys, known.starts, ends[-1] - of_row.diff())

    def nth(self, rows: Tensor, rank: Tensor) -> Tensor:
        """The items at `rank` (int64, 0 <= rank < left[row]) of the weight that rows leave.

        Where a row leaves none the item is arbitrary.
        """
        place = torch.searchsorted(self.keys, rows * (self.ends[-1] + 1) + rank, right=True)
        removed = self.before[place] - self.before[self.starts[rows]]
        item = 1 + torch.searchsorted(self.ends, rank + removed, right=True)
        return item.clamp(max=len(self.ends))
