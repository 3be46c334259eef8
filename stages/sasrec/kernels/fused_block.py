"""A block of the model on the CPU, by compiled loops and with a gradient by hand.

Shapes: T slots in all, D hidden size, H heads, d = D / H.

The formula is `Block` in model/block.py, the loops are in loops/block.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from sasrec.batching.layout import Layout
from sasrec.kernels.loops import block as loops
from sasrec.kernels.loops.block import Drops, Kept, Plane, Setting, Weights
from sasrec.kernels.parts import run_parts
from sasrec.kernels.spans import spans_of
from sasrec.model.dropout import NO_UNITS, Dropout


class BlockWeights(NamedTuple):
    """A block's weights as the model has them: [D, D] (out, in) and [D]; None for no projection."""

    attention_norm: Tensor
    attention_norm_bias: Tensor
    query: Tensor
    query_bias: Tensor
    key: Tensor
    key_bias: Tensor
    value: Tensor
    value_bias: Tensor
    projection: Tensor | None
    projection_bias: Tensor | None
    feed_forward_norm: Tensor
    feed_forward_norm_bias: Tensor
    inner: Tensor
    inner_bias: Tensor
    outer: Tensor
    outer_bias: Tensor


def fused_block(
    x: Tensor,
    layout: Layout,
    weights: BlockWeights,
    setting: Setting,
    dropout: Dropout | None,
) -> Tensor:
    """[T, D] to [T, D].

    Args:
        weights: as the model has them; projection and its bias may be None.
        dropout: None where nothing is dropped.
    """
    return FusedBlock.apply(x, layout, setting, dropout, *weights)


class FusedBlock(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, layout, setting, dropout, *weights):  # noqa: ANN001, ANN002, ANN205
        x, spans, given = x.contiguous(), spans_of(layout), BlockWeights(*weights)
        weights = _for_loops(given, setting.num_heads)
        pairs = setting.num_heads * spans.pairs
        drops = Drops(NO_UNITS, NO_UNITS, NO_UNITS, 0, 1.0)
        if dropout:
            units = map(dropout.units, (pairs, x.numel(), x.numel()))
            drops = Drops(*units, dropout.threshold, dropout.scale)
        saving = not torch.is_inference_mode_enabled()
        kept = Kept(
            planes=_new(layout, x)(len(Plane), *x.shape).numpy(),
            moments=x.new_empty(2, 2, len(x)).numpy(),
            attention=x.new_empty(pairs if saving else 0).numpy(),
        )
        out = torch.empty_like(x)
        run_parts(
            loops.forward,
            *(x.numpy(), weights, setting, spans, drops, kept, out.numpy()),
            edges=spans.edges,
        )
        ctx.save_for_backward(x, *given)
        ctx.kept = layout, weights, setting, spans, drops, kept
        return out

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        x, *given = ctx.saved_tensors
        layout, weights, setting, spans, drops, kept = ctx.kept
        ctx.kept = None  # free it at once
        grad_x, parts = torch.empty_like(x), len(spans.edges) - 1
        sums = [x.new_zeros(parts, *array.shape) for array in weights]
        run_parts(
            loops.backward,
            *(gradient.contiguous().numpy(), x.numpy(), weights, setting, spans, drops, kept),
            *(_new(layout, x)(loops.SCRATCH, *x.shape).numpy(), grad_x.numpy()),
            Weights(*(part.numpy() for part in sums)),
            edges=spans.edges,
        )
        grads = _from_loops(*(part.sum(0) for part in sums), BlockWeights(*given), setting)
        return grad_x, None, None, None, *grads


def _new(layout: Layout, x: Tensor) -> Callable[..., Tensor]:
    """What makes planes: at padding nothing is attended, and what is there must be finite."""
    return x.new_empty if layout.groups is None else x.new_zeros


def _for_loops(weights: BlockWeights, num_heads: int) -> Weights:
    """The weights as loops want them.

    Queries are scaled by 1 / sqrt(d). The keys' bias b adds the same to all scores of a query,
    which softmax forgets: it is left out. With one head the keys' weights are taken in, since
    (W_q x + b_q) (W_k c) = (W_k^T W_q x + W_k^T b_q) c, so that the context itself serves as keys.
    """
    w, scale = weights, _scale(weights, num_heads)
    query, query_bias = w.query * scale, w.query_bias * scale
    if num_heads == 1:
        query, query_bias = w.key.T @ query, query_bias @ w.key
    none = torch.zeros_like(w.key_bias)
    projection, bias = (
        (w.value, none) if w.projection is None else (w.projection, w.projection_bias)
    )
    matrices = (query, w.key, w.value, projection, w.inner, w.outer)
    vectors = (query_bias, none, w.value_bias, bias, w.inner_bias, w.outer_bias)
    norms = (w.attention_norm, w.attention_norm_bias, w.feed_forward_norm, w.feed_forward_norm_bias)
    return Weights(torch.stack(matrices).numpy(), torch.stack(vectors + norms).numpy())


def _from_loops(
    matrices: Tensor, vectors: Tensor, weights: BlockWeights, setting: Setting
) -> BlockWeights:
    """The gradients of `weights` by those of what `_for_loops` made of them."""
    w, scale = weights, _scale(weights, setting.num_heads)
    query, key, value, projection, inner, outer = matrices.unbind()
    query_bias, _, value_bias, projection_bias, inner_bias, outer_bias, *norms = vectors.unbind()
    query, query_bias = query * scale, query_bias * scale
    if setting.num_heads == 1:
        key = torch.addr(w.query @ query.T, w.query_bias, query_bias)
        query, query_bias = w.key @ query, w.key @ query_bias
    if not setting.projects:
        projection = projection_bias = None
    return BlockWeights(
        *norms[:2],
        *(query, query_bias, key, torch.zeros_like(w.key_bias), value, value_bias),
        *(projection, projection_bias),
        *norms[2:],
        *(inner, inner_bias, outer, outer_bias),
    )


def _scale(weights: BlockWeights, num_heads: int) -> float:
    """1 / sqrt(d)"""
    return (num_heads / len(weights.query)) ** 0.5
