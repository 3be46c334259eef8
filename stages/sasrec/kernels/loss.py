"""Losses against negatives by compiled loops, with their gradients by hand.

Shapes: T slots, D hidden size, K negatives a slot.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sasrec.kernels.inputs import gradient_of
from sasrec.kernels.loops import row
from sasrec.kernels.parts import even_parts, run_parts
from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy, check_shapes
from sasrec.objectives.sampled_softmax import SampledSoftmax

SCORE_COST = 40  # nanoseconds a candidate, roughly
SCORED_AT_ONCE = 1 << 20  # candidates; a copy of theirs is made for each go


def binary_cross_entropy(
    module: BinaryCrossEntropy,
    states: Tensor,
    embedding: Tensor,
    targets: Tensor,
    negatives: Tensor,
) -> Tensor:
    """What `BinaryCrossEntropy.forward` computes; an embedding's row is read where it lies."""
    check_shapes(states, targets, negatives)
    weight = float(module.positive_weight)
    return SumOfLosses.apply(states, embedding, targets, negatives, row.score, lambda _: weight)


def sampled_softmax(
    module: SampledSoftmax,
    states: Tensor,
    embedding: Tensor,
    targets: Tensor,
    negatives: Tensor,
    log_odds: Tensor | None = None,
) -> Tensor:
    """What `SampledSoftmax.forward` computes."""
    check_shapes(states, targets, negatives)
    if log_odds is None:
        log_odds = torch.zeros_like(negatives, dtype=states.dtype)
    odds = log_odds.to(states.dtype).numpy()
    return SumOfLosses.apply(
        states, embedding, targets, negatives, row.softmax_score, lambda slots: odds[slots]
    )


def _goes(targets: Tensor, negatives: Tensor) -> Iterator[tuple[slice, np.ndarray]]:
    """Slots side by side, and their candidates [slots, 1 + K], the target first."""
    each = max(1, SCORED_AT_ONCE // (1 + negatives.shape[1]))
    for start in range(0, len(targets), each):
        slots = slice(start, min(start + each, len(targets)))
        yield slots, torch.cat([targets[slots, None], negatives[slots]], 1).numpy()


class SumOfLosses(torch.autograd.Function):
    """A loss with its gradient, by a loop that finds losses and their slopes by the scores.

    What else that loop is told, `own` gives by slots: a number or an array.
    """

    @staticmethod
    def forward(ctx, states, embedding, targets, negatives, loop, own):  # noqa: ANN001, ANN205
        states = states.contiguous()
        losses = states.new_empty(len(states))
        slopes = states.new_empty(len(states), 1 + negatives.shape[1])
        real = (targets > 0).numpy()
        for slots, candidates in _goes(targets, negatives):
            run_parts(
                loop,
                *(states[slots].numpy(), embedding.detach().numpy(), candidates),
                *(real[slots], own(slots), losses[slots].numpy(), slopes[slots].numpy()),
                edges=even_parts(len(candidates), SCORE_COST * candidates.shape[1]),
            )
        ctx.saved = states, embedding, targets, negatives, slopes
        return losses.sum()

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        states, embedding, targets, negatives, slopes = ctx.saved
        grad_states, (total, grad_embedding) = torch.empty_like(states), gradient_of(embedding)
        factor = gradient.item()
        for slots, candidates in _goes(targets, negatives):
            known = (candidates, slopes[slots].numpy(), factor)
            edges = even_parts(len(candidates), SCORE_COST * candidates.shape[1])
            run_parts(
                row.score_backward,
                *(embedding.detach().numpy(), *known, grad_states[slots].numpy()),
                edges=edges,
            )
            run_parts(
                row.add_scored,
                *(states[slots].detach().numpy(), *known, total.numpy(), len(edges) - 1),
                edges=edges,
            )
        return grad_states, grad_embedding, None, None, None, None
