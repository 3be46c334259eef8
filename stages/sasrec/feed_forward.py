"""The position-wise feed-forward layer.

Shapes: T slots, D hidden size.

Equation 6 of the paper, with dropout twice, as the authors' code (modules.py, feedforward):

    g(x) = dropout(dropout(relu(x W1 + b1)) W2 + b2)

`feed_forward` computes it by `_FeedForward` where it trains with dropout and gradients.py says so,
and as it stands elsewhere.
"""

import torch
from torch import Tensor, nn

from sasrec.gradients import by_hand
from sasrec.noise import Noise


def feed_forward(x: Tensor, inner: nn.Linear, outer: nn.Linear, noise: Noise | None) -> Tensor:
    """g(x): [T, D] to [T, D]; `noise` is None outside training."""
    if noise and by_hand(x):
        weights = (inner.weight, inner.bias, outer.weight, outer.bias)
        return _FeedForward.apply(x, *weights, noise)
    hidden = inner(x).relu()
    if noise is None:
        return outer(hidden)
    return noise.dropout(outer(noise.dropout(hidden)))


class _FeedForward(torch.autograd.Function):
    """The formula in place, as one step of the gradient.

    The hidden layer is 0 where relu or dropout made it so: both pass the gradient where it is not.
    """

    @staticmethod
    def forward(ctx, x, weight1, bias1, weight2, bias2, noise):  # noqa: ANN001, ANN205
        keep1 = noise.keep(*x.shape[:1], *bias1.shape).to(x.dtype)
        hidden = torch.addmm(bias1, x, weight1.t()).relu_().mul_(keep1)
        keep2 = noise.keep(*x.shape).to(x.dtype)
        ctx.save_for_backward(x, weight1, weight2, hidden, keep1, keep2)
        return torch.addmm(bias2, hidden, weight2.t()).mul_(keep2)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        x, weight1, weight2, hidden, keep1, keep2 = ctx.saved_tensors
        grad = grad * keep2
        grad_hidden = torch.ops.aten.threshold_backward(grad @ weight2, hidden, 0).mul_(keep1)
        return (
            grad_hidden @ weight1,
            grad_hidden.t() @ x,
            grad_hidden.sum(0),
            grad.t() @ hidden,
            grad.sum(0),
            None,
        )
