"""Layer norm.

y = (x - mean of x) / sqrt(variance of x + epsilon) * weight + bias, for each slot
"""

from torch import nn


class LayerNorm(nn.LayerNorm):
    """Over the last axis, of `size`, with the authors' epsilon (modules.py, normalize)."""

    def __init__(self, size: int) -> None:
        super().__init__(size, eps=1e-8)
