"""Cross-entropy among all items, with its gradient in the same pass over the scores.

Shapes: T slots, D hidden size, N items.

The gradient by the scores is softmax minus 1 at the target: once a block of slots has its scores
they become that in place, and give the gradients of states and items, before the next block's take
the same memory. So nothing is kept of the scores, and nothing is computed twice, as a checkpoint
of torch would. It is PyTorch, and runs on any device.

Of smoothed labels the part of all items, a (mean of s), needs no scores: it is the state times the
mean of the items, so it is added apart.

In mixed precision the three products of matrices read bfloat16 and give it, so that each score is
rounded to it once; softmax and sums over blocks are float32.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sasrec.kernels.loops import softmax
from sasrec.kernels.parts import even_parts, run_parts
from sasrec.objectives import losses
from sasrec.objectives.cross_entropy import CrossEntropy

SLOTS = 512  # of a block, at most: its scores stay near the processor
SCORE_COST = 3  # nanoseconds, roughly

# Of scores [T, N], which become their derivatives, targets [T], and the target's share: the loss.
Rows = Callable[[Tensor, Tensor, float], Tensor]


def cross_entropy(
    module: CrossEntropy, states: Tensor, embedding: Tensor, targets: Tensor
) -> Tensor:
    """What `CrossEntropy.forward` computes, by PyTorch alone."""
    return _cross_entropy(module, states, embedding, targets, _sum)


def cross_entropy_by_loop(
    module: CrossEntropy, states: Tensor, embedding: Tensor, targets: Tensor
) -> Tensor:
    """The same on the CPU, the softmax by a compiled loop."""
    return _cross_entropy(module, states, embedding, targets, _sum_by_loop)


def _cross_entropy(
    module: CrossEntropy, states: Tensor, embedding: Tensor, targets: Tensor, rows: Rows
) -> Tensor:
    assert targets.shape == states.shape[:1], (states.shape, targets.shape)
    total = FullSoftmax.apply(states, embedding, targets, 1 - module.smoothing, rows)
    if module.smoothing:
        states = torch.where(targets[:, None] > 0, states, 0).sum(0)
        total = total - module.smoothing * (states @ embedding[1:].mean(0))
    return total


class FullSoftmax(torch.autograd.Function):
    """The logarithm of the sum, less the target's score times `share`."""

    @staticmethod
    def forward(ctx, states, embedding, targets, share, rows):  # noqa: ANN001, ANN205
        learns, device = any(ctx.needs_input_grad), states.device.type
        factors = torch.bfloat16 if torch.is_autocast_enabled(device) else states.dtype
        items, total = embedding[1:].to(factors), states.new_zeros(())
        grad_states, grad_embedding = torch.zeros_like(states), torch.zeros_like(embedding)
        size = min(SLOTS, max(1, losses.SCORED_AT_ONCE // len(embedding)))
        memory = states.new_empty(min(size, len(states)), len(items))
        blocks = (part.split(size) for part in (states, targets, grad_states))
        for block, wanted, grad_block in zip(*blocks, strict=True):
            scores = _product(block.to(factors), items.T, memory[: len(block)])
            total += rows(scores, wanted, share)
            if learns:
                slopes = scores.to(factors)
                _product(slopes, items, grad_block)
                _add_product(slopes.T, block.to(factors), grad_embedding[1:])
        ctx.gradients = grad_states, grad_embedding
        return total

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        grad_states, grad_embedding = ctx.gradients
        ctx.gradients = None  # they are given away
        return grad_states.mul_(gradient), grad_embedding.mul_(gradient), None, None, None


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """Their product in `out`, which may be of higher precision."""
    if left.dtype == out.dtype:
        return torch.mm(left, right, out=out)
    return out.copy_(torch.mm(left, right))


def _add_product(left: Tensor, right: Tensor, total: Tensor) -> None:
    if left.dtype == total.dtype:
        total.addmm_(left, right)
    else:
        total += torch.mm(left, right)


def _sum(scores: Tensor, targets: Tensor, share: float) -> Tensor:
    """The loss of slots by their `scores` [T, N], which become its derivatives by them."""
    real, place = targets > 0, (targets - 1).clamp(min=0)[:, None]
    target = scores.gather(1, place)
    largest = scores.amax(1, keepdim=True)
    total = scores.sub_(largest).exp_().sum(1, keepdim=True)
    loss = total.log() + largest - share * target
    counts = real[:, None].to(scores.dtype)
    scores.mul_(counts / total).scatter_add_(1, place, -share * counts)
    return torch.where(real, loss.squeeze(1), 0).sum()


def _sum_by_loop(scores: Tensor, targets: Tensor, share: float) -> Tensor:
    """As `_sum`."""
    of_slots = scores.new_empty(len(scores))
    run_parts(
        softmax.cross_entropy,
        *(scores.numpy(), targets.numpy(), float(share), of_slots.numpy()),
        edges=even_parts(len(scores), SCORE_COST * scores.shape[1]),
    )
    return of_slots.sum()
