"""Looking rows up in an embedding, with a quicker gradient on the CPU than torch's own."""

import torch
from torch import Tensor
from torch.nn import functional


def look_up(embedding: Tensor, ids: Tensor) -> Tensor:
    """Rows of `embedding` [N, D] by `ids` (int64, any shape): [*ids.shape, D].

    The gradient of the embedding is the sum over the places where a row was used.
    """
    if embedding.device.type == "cpu" and not torch.compiler.is_compiling():
        return _LookUp.apply(embedding, ids)
    return functional.embedding(ids, embedding)


class _LookUp(torch.autograd.Function):
    """index_add_ adds rows several times faster than embedding_dense_backward on the CPU."""

    @staticmethod
    def forward(ctx, embedding, ids):  # noqa: ANN001, ANN205
        ctx.save_for_backward(ids)
        ctx.rows = len(embedding)
        return embedding.index_select(0, ids.reshape(-1)).view(*ids.shape, -1)

    @staticmethod
    def backward(ctx, grad):  # noqa: ANN001, ANN205
        (ids,) = ctx.saved_tensors
        rows = grad.reshape(-1, grad.shape[-1])
        total = rows.new_zeros(ctx.rows, rows.shape[1])
        return total.index_add_(0, ids.reshape(-1), rows), None
