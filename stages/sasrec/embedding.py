"""Looking items and positions up, with a quicker gradient on the CPU than torch's own.

Shapes: T slots, D hidden size, N items.

The gradient of an embedding is the sum over the places where a row was used. On the CPU it is
added right into `embedding.grad` where that is there already, as `backward()` would, but without
an [N, D] array for every call: with many items those cost more than all else.
(`torch.autograd.grad` thus needs an embedding without a gradient.)
"""

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.gradients import by_hand
from sasrec.noise import Noise


def embed(
    items: Tensor,
    positions: Tensor,
    *,
    item_embedding: Tensor,
    position_embedding: Tensor | None,
    noise: Noise | None,
) -> Tensor:
    """dropout(sqrt(D) item + position): [T, D] (section III-A; the factor is in the authors' code).

    Args:
        items: int64 [T]; positions: int64 [T].
        item_embedding: [N + 1, D].
        position_embedding: [n, D], or None for none.
        noise: None outside training.
    """
    scale = item_embedding.shape[1] ** 0.5
    if by_hand(item_embedding):
        return _Embed.apply(items, positions, item_embedding, position_embedding, scale, noise)
    x = functional.embedding(items, item_embedding) * scale
    if position_embedding is not None:
        x = x + functional.embedding(positions, position_embedding)
    return noise.dropout(x) if noise else x


def add_rows(embedding: Tensor, ids: Tensor, rows: Tensor) -> Tensor | None:
    """The gradient of `embedding` where `rows` [.., D] are the gradients of its rows `ids` [..].

    Returns: what a backward function returns: None if it was added to `embedding.grad` in place.
    """
    in_place = embedding.is_leaf and embedding.grad is not None
    total = embedding.grad if in_place else torch.zeros_like(embedding)
    # Several times faster on the CPU than embedding_dense_backward, or than with an alpha.
    total.index_add_(0, ids, rows)
    return None if in_place else total


class _Embed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, items, positions, item_embedding, position_embedding, scale, noise):  # noqa: ANN001, ANN205
        x = item_embedding.index_select(0, items).mul_(scale)
        if position_embedding is not None:
            x.add_(position_embedding.index_select(0, positions))
        keep = noise.keep(*x.shape).to(x.dtype) if noise else None
        ctx.saved = (items, positions, item_embedding, position_embedding, scale, keep)
        return x if keep is None else x.mul_(keep)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        items, positions, item_embedding, position_embedding, scale, keep = ctx.saved
        if keep is not None:
            grad = grad * keep
        of_positions = None
        if position_embedding is not None:
            of_positions = add_rows(position_embedding, positions, grad)
        of_items = add_rows(item_embedding, items, grad * scale)
        return None, None, of_items, of_positions, None, None
