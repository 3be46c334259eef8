"""The training loss.

Shapes: T slots, D hidden size, K negatives a slot.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.embedding import add_rows
from sasrec.gradients import by_hand


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
    """The formula with its gradient, in as few passes over [T, 1 + K, D] as it needs."""

    @staticmethod
    def forward(ctx, states, embedding, candidates, targets):  # noqa: ANN001, ANN205
        rows = embedding.index_select(0, candidates.view(-1)).view(*candidates.shape, -1)
        scores = torch.bmm(rows, states[:, :, None])[:, :, 0]
        scores[:, 0].neg_()
        real = (targets > 0).to(scores.dtype)[:, None]
        ctx.embedding = embedding
        ctx.save_for_backward(states, candidates, rows, scores, real)
        return (functional.softplus(scores) * real).sum()

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        states, candidates, rows, scores, real = ctx.saved_tensors
        of_scores = scores.sigmoid().mul_(real).mul_(grad)
        of_scores[:, 0].neg_()
        # For the few candidates of a slot several times quicker than a batched product.
        of_states = (of_scores[:, :, None] * rows).sum(1)
        of_rows = of_scores[:, :, None] * states[:, None]
        of_embedding = add_rows(
            ctx.embedding, candidates.view(-1), of_rows.view(-1, rows.shape[-1])
        )
        return of_states, of_embedding, None, None
