"""Layer norm by compiled loops, with its gradient by hand.

Shapes: T slots, D hidden size.
"""

import torch
from torch import Tensor

from sasrec.kernels.loops import position
from sasrec.kernels.parts import even_parts, run_parts
from sasrec.model.norm import LayerNorm

SLOT_COST = 30  # nanoseconds, roughly


def norm(module: LayerNorm, x: Tensor) -> Tensor:
    """What `LayerNorm.forward` computes: [T, D] to [T, D]."""
    return Norm.apply(x, module.weight, module.bias, module.eps)


class Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, epsilon):  # noqa: ANN001, ANN205
        x = x.contiguous()
        y, moments = torch.empty_like(x), x.new_empty(2, len(x))
        run_parts(
            position.norm_part,
            *(x.numpy(), weight.detach().numpy(), bias.detach().numpy()),
            *(epsilon, y.numpy(), moments.numpy()),
            edges=even_parts(len(x), SLOT_COST),
        )
        ctx.save_for_backward(x, weight, moments)
        return y

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        x, weight, moments = ctx.saved_tensors
        edges = even_parts(len(x), SLOT_COST)
        grad_x, sums = torch.empty_like(x), x.new_zeros(len(edges) - 1, 2, x.shape[1])
        run_parts(
            position.norm_backward_part,
            *(gradient.contiguous().numpy(), x.numpy(), weight.detach().numpy(), moments.numpy()),
            *(grad_x.numpy(), sums.numpy()),
            edges=edges,
        )
        return grad_x, *sums.sum(0), None
