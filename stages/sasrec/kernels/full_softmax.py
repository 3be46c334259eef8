"""Cross-entropy among all items, with its gradient in the same pass over the scores.

Shapes: T slots, D hidden size, N items.

The gradient by the scores is softmax minus 1 at the target: once a block of slots has its scores
they become that in place, and give the gradients of states and items, before the next block's take
the same memory. So nothing is kept of the scores, and nothing is computed twice, as a checkpoint
of torch would. It is PyTorch, and runs on any device.

Of smoothed labels the part of all items, a (mean of s), needs no scores: it is the state times the
mean of the items, so it is added apart.
"""

import torch
from torch import Tensor

from sasrec.objectives import losses
from sasrec.objectives.cross_entropy import CrossEntropy

SLOTS = 512  # of a block, at most: its scores stay near the processor


def cross_entropy(
    module: CrossEntropy, states: Tensor, embedding: Tensor, targets: Tensor
) -> Tensor:
    """What `CrossEntropy.forward` computes."""
    assert targets.shape == states.shape[:1], (states.shape, targets.shape)
    total = FullSoftmax.apply(states, embedding, targets, 1 - module.smoothing)
    if module.smoothing:
        states = torch.where(targets[:, None] > 0, states, 0).sum(0)
        total = total - module.smoothing * (states @ embedding[1:].mean(0))
    return total


class FullSoftmax(torch.autograd.Function):
    """The logarithm of the sum, less the target's score times `share`."""

    @staticmethod
    def forward(ctx, states, embedding, targets, share):  # noqa: ANN001, ANN205
        learns = any(ctx.needs_input_grad)
        items, total = embedding[1:], states.new_zeros(())
        grad_states, grad_embedding = torch.zeros_like(states), torch.zeros_like(embedding)
        size = min(SLOTS, max(1, losses.SCORED_AT_ONCE // len(embedding)))
        memory = states.new_empty(min(size, len(states)), len(items))
        blocks = (part.split(size) for part in (states, targets, grad_states))
        for block, wanted, grad_block in zip(*blocks, strict=True):
            scores = torch.mm(block, items.T, out=memory[: len(block)])
            total += _sum(scores, wanted, share)
            if learns:
                torch.mm(scores, items, out=grad_block)
                grad_embedding[1:].addmm_(scores.T, block)
        ctx.gradients = grad_states, grad_embedding
        return total

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        grad_states, grad_embedding = ctx.gradients
        ctx.gradients = None  # they are given away
        return grad_states.mul_(gradient), grad_embedding.mul_(gradient), None, None


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
