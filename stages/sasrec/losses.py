"""The training loss.

Shapes: T slots, D hidden size, K negatives a slot.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.embedding import gradient_of
from sasrec.gradients import by_hand
from sasrec.kernels import even_parts, run_parts, specialised

SCORE_COST = 80  # nanoseconds a slot, roughly


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
    candidates = torch.cat([targets[:, None], negatives], 1)
    if by_hand(states):
        return _BinaryCrossEntropy.apply(states, embedding, candidates, targets)
    scores = torch.einsum("td,tkd->tk", states, functional.embedding(candidates, embedding))
    scores = torch.cat([-scores[:, :1], scores[:, 1:]], 1)
    return torch.where(targets > 0, functional.softplus(scores).sum(1), 0).sum()


class _BinaryCrossEntropy(torch.autograd.Function):
    """The formula with its gradient; an embedding's row is read where it lies."""

    @staticmethod
    def forward(ctx, states, embedding, candidates, targets):  # noqa: ANN001, ANN205
        states = states.contiguous()
        losses, slopes = states.new_empty(len(states)), states.new_empty(candidates.shape)
        run_parts(
            specialised("row_kernels", SIZE=states.shape[1]).score,
            *(states.numpy(), embedding.detach().numpy(), candidates.numpy()),
            *((targets > 0).numpy(), losses.numpy(), slopes.numpy()),
            edges=even_parts(len(states), SCORE_COST),
        )
        ctx.saved = states, embedding, candidates, slopes
        return losses.sum()

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        states, embedding, candidates, slopes = ctx.saved
        kernels = specialised("row_kernels", SIZE=states.shape[1])
        of_states, (total, of_embedding) = torch.empty_like(states), gradient_of(embedding)
        known = (candidates.numpy(), slopes.numpy(), slopes.numpy().dtype.type(gradient.item()))
        run_parts(
            kernels.score_backward,
            *(embedding.detach().numpy(), *known, of_states.numpy()),
            edges=even_parts(len(states), SCORE_COST),
        )
        edges = even_parts(len(states), SCORE_COST)
        run_parts(
            kernels.add_scored,
            *(states.detach().numpy(), *known, total.numpy(), len(edges) - 1),
            edges=edges,
        )
        return of_states, of_embedding, None, None
