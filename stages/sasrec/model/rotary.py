"""Rotary positions: queries and keys are turned by angles that grow with their position.

Shapes: T slots, H heads, d the size of a head.

The score of a query and a key then depends on how far apart they are (Su et al. 2021, "RoFormer",
section 3.2): units i and i + d/2 are one pair, which a position p turns by p / 10000^(2i/d).
"""

import torch
from torch import Tensor

from sasrec.batching.layout import Layout
from sasrec.model.positions import PositionInAttention

BASE = 10_000


class Rotary(PositionInAttention):
    """An odd last unit of a head is not turned."""

    def turn(self, query: Tensor, key: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Queries and keys [T, H, d], to the same shapes."""
        pairs = query.shape[2] // 2
        steps = torch.arange(pairs, device=query.device, dtype=query.dtype)
        angles = layout.positions[:, None, None] * BASE ** (-steps / max(pairs, 1))  # [T, 1, d/2]
        cos, sin = angles.cos(), angles.sin()
        return _turned(query, cos, sin), _turned(key, cos, sin)


def _turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    pairs = cos.shape[2]
    one, other, rest = heads.split([pairs, pairs, heads.shape[2] - 2 * pairs], 2)
    return torch.cat((one * cos - other * sin, one * sin + other * cos, rest), 2)
