"""The training loss.

Shapes: T slots, D hidden size, K negatives a slot.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sasrec.kernels.parts import even_parts, run_parts, specialised
from sasrec.model.embedding import gradient_of
from sasrec.model.gradients import by_hand

SCORE_COST = 80  # nanoseconds a slot, roughly
SCORED_AT_ONCE = 1 << 20  # candidates; a copy of theirs is made for each go


def binary_cross_entropy(
    states: Tensor, *, embedding: Tensor, targets: Tensor, negatives: Tensor
) -> Tensor:
    """Sum over real positions of -log sigmoid(s+) - sum over negatives log(1 - sigmoid(s-)).

    Section III-E of the paper; its mean over real positions is the authors' loss. With several
    negatives their terms are added, as in gSASRec (Petrov & Macdonald, RecSys 2023, equation 3).

    Args:
        states: [T, D].
        embedding: [N + 1, D], of items by id.
        targets: int64 [T], the item that follows; 0 marks padding, which counts nothing.
        negatives: int64 [T, K].

    Returns: a scalar, to be divided by the number of real positions.
    """
    assert targets.shape == states.shape[:1] == negatives.shape[:1], (
        f"states {list(states.shape)}, targets {list(targets.shape)}, "
        f"negatives {list(negatives.shape)}"
    )
    if by_hand(states):
        return _BinaryCrossEntropy.apply(states, embedding, targets, negatives)
    candidates = torch.cat([targets[:, None], negatives], 1)
    scores = torch.einsum("td,tkd->tk", states, functional.embedding(candidates, embedding))
    scores = torch.cat([-scores[:, :1], scores[:, 1:]], 1)
    return torch.where(targets > 0, functional.softplus(scores).sum(1), 0).sum()


def _goes(targets: Tensor, negatives: Tensor) -> Iterator[tuple[slice, np.ndarray]]:
    """Slots side by side, and their candidates [slots, 1 + K], the target first."""
    each = max(1, SCORED_AT_ONCE // (1 + negatives.shape[1]))
    for start in range(0, len(targets), each):
        slots = slice(start, min(start + each, len(targets)))
        yield slots, torch.cat([targets[slots, None], negatives[slots]], 1).numpy()


class _BinaryCrossEntropy(torch.autograd.Function):
    """The formula with its gradient; an embedding's row is read where it lies."""

    @staticmethod
    def forward(ctx, states, embedding, targets, negatives):  # noqa: ANN001, ANN205
        states = states.contiguous()
        kernels = specialised("row", SIZE=states.shape[1])
        losses = states.new_empty(len(states))
        slopes = states.new_empty(len(states), 1 + negatives.shape[1])
        real = (targets > 0).numpy()
        for slots, candidates in _goes(targets, negatives):
            run_parts(
                kernels.score,
                *(states[slots].numpy(), embedding.detach().numpy(), candidates),
                *(real[slots], losses[slots].numpy(), slopes[slots].numpy()),
                edges=even_parts(len(candidates), SCORE_COST),
            )
        ctx.saved = states, embedding, targets, negatives, slopes
        return losses.sum()

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        states, embedding, targets, negatives, slopes = ctx.saved
        kernels = specialised("row", SIZE=states.shape[1])
        of_states, (total, of_embedding) = torch.empty_like(states), gradient_of(embedding)
        factor = slopes.numpy().dtype.type(gradient.item())
        for slots, candidates in _goes(targets, negatives):
            known = (candidates, slopes[slots].numpy(), factor)
            edges = even_parts(len(candidates), SCORE_COST)
            run_parts(
                kernels.score_backward,
                *(embedding.detach().numpy(), *known, of_states[slots].numpy()),
                edges=edges,
            )
            run_parts(
                kernels.add_scored,
                *(states[slots].detach().numpy(), *known, total.numpy(), len(edges) - 1),
                edges=edges,
            )
        return of_states, of_embedding, None, None
