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

    def turn(self, heads: Tensor, layout: Layout) -> Tensor:
        """[T, H, d] to [T, H, d]."""
        pairs = heads.shape[2] // 2
        steps = torch.arange(pairs, device=heads.device, dtype=heads.dtype)
        angles = layout.positions[:, None, None] * BASE ** (-steps / max(pairs, 1))  # [T, 1, d/2]
        cos, sin = angles.cos(), angles.sin()
        one, other, rest = heads.split([pairs, pairs, heads.shape[2] - 2 * pairs], 2)
        return torch.cat((one * cos - other * sin, one * sin + other * cos, rest), 2)
