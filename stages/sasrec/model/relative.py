"""Relative positions: a number for each head and distance, added to the scores.

Shapes: H heads, W the width of a row, n the maximal length.

As in T5 (Raffel et al. 2020, section 2.1), but for its buckets: every distance from 0 to n - 1 has
a number of its own. All are 0 at the start.
"""

import torch
from torch import Tensor, nn

from sasrec.model.positions import PositionInAttention
from sasrec.model.sizes import Sizes


class RelativeBias(PositionInAttention):
    """[H, n], by how many positions a key comes before its query."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.distance_bias = nn.Parameter(torch.zeros(sizes.num_heads, sizes.max_length))

    def bias(self, width: int) -> Tensor:
        """[H, W, W]; arbitrary for keys that come later than their query."""
        place = torch.arange(width, device=self.distance_bias.device)
        distance = (place[:, None] - place).clamp(min=0)
        return self.distance_bias[:, :width][:, distance]
