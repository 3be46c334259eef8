"""Where the gradients that are written by hand for the CPU apply.

Autograd keeps every intermediate result and walks a node for every call; on the CPU blocks, layer
norm, embedding and loss are quicker as compiled loops (kernels.py) with gradients of their own,
each beside its plain formula. Elsewhere, in torch's compiled code and in mixed precision the plain
formula is used.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_plain = ContextVar("plain", default=False)


def by_hand(x: Tensor) -> bool:
    """True for a tensor on the CPU, uncompiled and in one precision, outside `plainly`."""
    return (
        x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
        and not _plain.get()
    )


@contextmanager
def plainly() -> Iterator[None]:
    """Have everything computed by its plain formula in the block, in this thread."""
    before = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(before)
