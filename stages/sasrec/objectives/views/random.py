"""Random whole numbers with limits that lie on a device."""

import torch
from torch import Tensor


def below(limits: Tensor, generator: torch.Generator | None) -> Tensor:
    """A number from 0 to under each of `limits` (int64, at least 1): int64 of their shape."""
    # 62 random bits modulo the limit: off from uniform by less than limit / 2^62.
    bits = torch.randint(1 << 62, limits.shape, generator=generator, device=limits.device)
    return bits % limits
