"""Dropout with cheap random bits: one or two bytes a unit instead of one float.

Random numbers cost more than everything else in a dropout. On the CPU a unit is dropped when a
random byte is under 256 times the rate, rounded; where that is off by more than a hundredth of the
rate or of its complement, two bytes are used. Kept units are scaled by the exact inverse of their
chance, so the expectation is unbiased. Elsewhere torch's own dropout is used. Bytes are compared
by numpy because torch does not vectorise it on the CPU.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


class Noise:
    """The dropout noise of one model, from one explicit seed.

    Args:
        rate: the chance that a unit is dropped, 0 <= rate < 1.
        seed: one or several integers; other devices and compiled code draw from torch's global
            generator, which the training loop seeds.

    Attributes:
        scale: what a kept unit is multiplied by.
    """

    def __init__(self, rate: float, *seed: int) -> None:
        assert 0 <= rate < 1, rate
        self.rate = rate
        coarse = abs(round(256 * rate) / 256 - rate) <= 0.01 * min(rate, 1 - rate)
        self._unit = np.dtype(np.uint8 if coarse else np.uint16)
        levels = 256**self._unit.itemsize
        self._threshold = min(round(levels * rate), levels - 1)
        self.scale = levels / (levels - self._threshold)
        self.reseed(*seed)

    def reseed(self, *seed: int) -> None:
        """Start the random bits anew, as if built with this seed."""
        self._bits = np.random.SFC64(np.random.SeedSequence(seed))

    def keep(self, *shape: int) -> Tensor:
        """uint8 of `shape`, on the CPU: 1 where a unit is kept, 0 where it is dropped."""
        count = math.prod(shape)
        words = -(-count * self._unit.itemsize // 8)
        units = self._bits.random_raw(words).view(self._unit)[:count]
        return torch.from_numpy((units >= self._threshold).view(np.uint8)).view(shape)

    def dropout(self, x: Tensor) -> Tensor:
        """`x` (any shape, floating) with units dropped and the kept ones scaled."""
        if self.rate == 0:
            return x
        if x.device.type != "cpu" or torch.compiler.is_compiling():
            return functional.dropout(x, self.rate)
        return x * self.keep(*x.shape).to(x.dtype).mul_(self.scale)
