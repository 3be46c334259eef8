"""Items and positions looked up by compiled loops, with a quicker gradient than torch's own.

Shapes: T slots, D hidden size, N items.

The gradient of an embedding is the sum over the places where a row was used. It is added right
into `embedding.grad` where that is there already, as `backward()` would, but without an [N, D]
array for every call: with many items those cost more than all else.
(`torch.autograd.grad` thus needs an embedding without a gradient.)
"""

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.batches import Batch
from sasrec.kernels.loops import position, row
from sasrec.kernels.parts import even_parts, run_parts
from sasrec.model.dropout import NO_UNITS, Dropout
from sasrec.model.inputs import Inputs, ItemInput, check_items
from sasrec.model.positions import LearnedPosition, PositionInInputs

ROW_COST = 30  # nanoseconds, roughly


def supports(module: Inputs) -> bool:
    """True where nothing but items and learned or no positions is added up."""
    parts = list(module.parts.values())
    plain_items = len(parts) == 1 and type(parts[0]) is ItemInput
    return plain_items and type(module.position) in (LearnedPosition, PositionInInputs)


def inputs(module: Inputs, batch: Batch) -> Tensor:
    """What `Inputs.forward` computes: [T, D]."""
    (item,) = module.parts.values()
    embedding = item.embedding.weight
    check_items(batch.items, len(embedding) - 1)
    learned = isinstance(module.position, LearnedPosition)
    return Embed.apply(
        batch.items,
        batch.layout.positions,
        embedding,
        module.position.embedding.weight if learned else None,
        embedding.shape[1] ** 0.5,
        module.dropout.active,
    )


def gradient_of(embedding: Tensor) -> tuple[Tensor, Tensor | None]:
    """Where to add the gradient of `embedding`, and what a backward function is to return of it.

    That is None where it is added to `embedding.grad` in place.
    """
    if embedding.is_leaf and embedding.grad is not None:
        return embedding.grad, None
    total = torch.zeros_like(embedding)
    return total, total


def add_rows(embedding: Tensor, ids: Tensor, rows: Tensor, factor: float = 1.0) -> Tensor | None:
    """The gradient of `embedding` [R, D] where `factor` times `rows` [T, D] are those of its `ids`.

    Args:
        ids: int64 [T].

    Returns: what a backward function returns: None if it was added to `embedding.grad` in place.
    """
    total, result = gradient_of(embedding)
    edges = even_parts(len(ids), ROW_COST)
    run_parts(
        row.add,
        *(ids.numpy(), rows.numpy(), float(factor), total.numpy(), len(edges) - 1),
        edges=edges,
    )
    return result


class Embed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, items, positions, item_embedding, position_embedding, factor, dropout):  # noqa: ANN001, ANN205
        out = item_embedding.new_empty(len(items), item_embedding.shape[1])
        given = item_embedding[:0] if position_embedding is None else position_embedding
        run_parts(
            row.embed,
            *(items.numpy(), positions.numpy()),
            *(item_embedding.detach().numpy(), given.detach().numpy(), factor, out.numpy()),
            edges=even_parts(len(out), ROW_COST),
        )
        units = dropout.units(out.numel()) if dropout else NO_UNITS
        if dropout:
            _drop(out, units, dropout, out)
        ctx.saved = (items, positions, item_embedding, position_embedding, factor, dropout, units)
        return out

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        items, positions, item_embedding, position_embedding, factor, dropout, units = ctx.saved
        gradient = gradient.contiguous()
        if dropout:
            dropped = torch.empty_like(gradient)
            _drop(gradient, units, dropout, dropped)
            gradient = dropped
        grad_positions = None
        if position_embedding is not None:
            grad_positions = add_rows(position_embedding, positions, gradient)
        grad_items = add_rows(item_embedding, items, gradient, factor)
        # Item 0 learns nothing, be it padding or an item that a view hides.
        (item_embedding.grad if grad_items is None else grad_items)[0] = 0
        return None, None, grad_items, grad_positions, None, None


def _drop(x: Tensor, units: np.ndarray, dropout: Dropout, out: Tensor) -> None:
    run_parts(
        position.drop_part,
        *(x.numpy(), units, dropout.threshold, dropout.scale, out.numpy()),
        edges=even_parts(len(x), ROW_COST),
    )
