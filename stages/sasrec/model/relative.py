"""Relative positions: a number for each head and distance, added to the scores.

Shapes: H heads, W the width of a row, n the maximal length.

As in T5 (Raffel et al. 2020, section 2.1), but for its buckets: every distance from 0 to n - 1 has
a number of its own. All are 0 at the start.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sasrec.model.positions import PositionInAttention
from sasrec.model.sizes import Sizes


class RelativeBias(PositionInAttention):
    """[H, n], by how many positions a key comes before its query."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.distance_bias = nn.Parameter(torch.zeros(sizes.num_heads, sizes.max_length))

    def bias(self, width: int) -> Tensor:
        """[H, W, W]; 0 for keys that come later than their query."""
        if torch.compiler.is_exporting():  # the number of windows would be fixed
            return self._by_distance(width)
        # With b_0 .. b_{W-1} by distance, the row of query i is a window of b_{W-1} .. b_0 0 .. 0
        # that begins W - 1 - i from its start: views, whose gradient is cheap.
        falling = self.distance_bias[:, :width].flip(1)
        return functional.pad(falling, (0, width - 1)).unfold(1, width, 1).flip(1)

    def _by_distance(self, width: int) -> Tensor:
        """The same by looking each distance up, for any W; padding may lie more than n apart."""
        steps = torch.arange(width)
        distances = steps[:, None] - steps
        known = distances.clamp(min=0, max=self.distance_bias.shape[1] - 1)
        return torch.where(distances >= 0, self.distance_bias[:, known], 0)
