"""Dropout with cheap random bits: one or two bytes a unit instead of one float.

Random numbers cost more than everything else in a dropout. On the CPU a unit is dropped when a
random byte is under 256 times the rate, rounded; where that is off by more than a hundredth of the
rate or of its complement, two bytes are used. Kept units are scaled by the exact inverse of their
chance, so the expectation is unbiased. Elsewhere torch's own dropout is used. Bytes are compared
by numpy because torch does not vectorise it on the CPU.
"""

from typing import Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

POOL = 1 << 18  # units drawn at once: small batches take many small masks from one draw
NO_UNITS = np.empty(0, np.uint8)  # without dropout


class Dropout(nn.Module):
    """The dropout of one model, all its parts together, from one explicit seed.

    Args:
        rate: the chance that a unit is dropped, 0 <= rate < 1.
        seed: one or several integers; other devices and compiled code draw from torch's global
            generator, which the training loop seeds.
    """

    def __init__(self, rate: float, *seed: int) -> None:
        super().__init__()
        assert 0 <= rate < 1, rate
        self.rate = rate
        coarse = abs(round(256 * rate) / 256 - rate) <= 0.01 * min(rate, 1 - rate)
        self._unit = np.dtype(np.uint8 if coarse else np.uint16)
        levels = 256**self._unit.itemsize
        dropped = min(round(levels * rate), levels - 1)
        self._raw_threshold = dropped
        self.threshold = dropped if coarse else 1
        self.scale = levels / (levels - dropped)
        self.reseed(*seed)

    @property
    def active(self) -> Self | None:
        """Itself where units are dropped, None outside training and at rate 0."""
        return self if self.training and self.rate else None

    def reseed(self, *seed: int) -> None:
        """Start the random bits anew, as if built with this seed."""
        self._bits = np.random.SFC64(np.random.SeedSequence(seed))
        self._pool, self._used = NO_UNITS, 0

    def units(self, count: int) -> np.ndarray:
        """Random uint8 [count]; a unit under `threshold` is dropped."""
        if self._used + count > len(self._pool):
            self._pool, self._used = self._draw(max(count, POOL)), 0
        start = self._used
        self._used += count
        return self._pool[start : self._used]

    def chances(self, like: Tensor, rate: float) -> Tensor:
        """bool of the shape and device of `like` [T]: each True with the chance `rate`."""
        if like.device.type != "cpu" or torch.compiler.is_compiling():
            return torch.rand(like.shape, device=like.device) < rate
        words = self._bits.random_raw(-(-len(like) // 2)).view(np.uint32)[: len(like)]
        return torch.from_numpy(words < round(rate * 2**32))

    def forward(self, x: Tensor) -> Tensor:
        """`x` (any shape, floating) with units dropped and the kept ones scaled, in training."""
        if self.active is None:
            return x
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(x, self.rate)
        kept = (self.units(x.numel()) >= self.threshold).view(np.uint8)
        return x * torch.from_numpy(kept).to(x.dtype).mul_(self.scale).view(x.shape)

    def _draw(self, count: int) -> np.ndarray:
        words = -(-count * self._unit.itemsize // 8)
        units = self._bits.random_raw(words).view(self._unit)[:count]
        # So that readers of units know one type only, two bytes are compared here.
        return units if units.itemsize == 1 else (units >= self._raw_threshold).view(np.uint8)
