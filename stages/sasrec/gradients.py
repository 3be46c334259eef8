"""Where the gradients that are written by hand for the CPU apply.

Autograd keeps every intermediate result and walks a node for every call; on the CPU blocks, layer
norm, embedding and loss are quicker as compiled loops (kernels.py) with gradients of their own,
each beside its plain formula. Elsewhere, in torch's compiled code and in mixed precision the plain
formula is used.
"""

import torch
from torch import Tensor


def by_hand(x: Tensor) -> bool:
    """True for a tensor on the CPU, uncompiled and in one precision."""
    return (
        x.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled("cpu")
    )
