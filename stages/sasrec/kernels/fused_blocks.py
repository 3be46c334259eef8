"""The blocks of the model on the CPU, by compiled loops and with a gradient by hand.

Shapes: N blocks, T slots in all, D hidden size, H heads, d = D / H.

The formula is `Block` in model/block.py, the loops are in loops/block.py and loops/blocks.py.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.layout import Layout
from sasrec.kernels.loops import block, blocks
from sasrec.kernels.loops.block import Kept, Matrix, Plane, Setting, Weights
from sasrec.kernels.loops.blocks import Drawn
from sasrec.kernels.parts import run_parts
from sasrec.kernels.spans import Spans, spans_of
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


def fused_blocks(
    x: Tensor,
    layout: Layout,
    weights: Sequence[BlockWeights],
    setting: Setting,
    dropout: Dropout | None,
) -> Tensor:
    """[T, D] to [T, D].

    Args:
        weights: of one block or several, as the model has them; projection and its bias may be
            None.
        dropout: None where nothing is dropped.
    """
    return FusedBlocks.apply(x, layout, setting, dropout, *chain(*weights))


class Known(NamedTuple):
    """What both passes are told, in the order of the loops' arguments; see loops/blocks.py."""

    weights: Weights
    setting: Setting
    spans: Spans
    drawn: Drawn
    kept: Kept
    between: np.ndarray


class FusedBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, layout, setting, dropout, *weights):  # noqa: ANN001, ANN002, ANN205
        x, spans, given = x.contiguous(), spans_of(layout), _by_block(weights)
        count = len(given)
        new, pairs = _new(layout, x), setting.num_heads * spans.pairs
        saving = not torch.is_inference_mode_enabled()
        kept = Kept(
            planes=new(count, len(Plane), *x.shape).numpy(),
            moments=x.new_empty(count, 2, 2, len(x)).numpy(),
            attention=x.new_empty(count, pairs if saving else 0).numpy(),
        )
        drawn = _drawn(dropout, count, pairs + 2 * x.numel())
        between = new(count - 1, *x.shape).numpy()
        known = Known(_for_loops(given, setting.num_heads), setting, spans, drawn, kept, between)
        out = torch.empty_like(x)
        run_parts(blocks.forward, x.numpy(), *known, out.numpy(), edges=spans.edges)
        ctx.save_for_backward(x, *chain(*given))
        ctx.known = layout, known
        return out

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        x, *given = ctx.saved_tensors
        layout, known = ctx.known
        ctx.known = None  # free it at once
        grad_x, sums = torch.empty_like(x), _zeros(known.weights, known.spans, x)
        run_parts(
            blocks.backward,
            *(gradient.contiguous().numpy(), x.numpy(), *known),
            *(_new(layout, x)(block.SCRATCH, *x.shape).numpy(), grad_x.numpy()),
            Weights(*(part.numpy() for part in sums)),
            edges=known.spans.edges,
        )
        grads = _from_loops(*(part.sum(1) for part in sums), _by_block(given), known.setting)
        return grad_x, None, None, None, *grads


def _by_block(weights: Sequence[Tensor | None]) -> list[BlockWeights]:
    each = len(BlockWeights._fields)
    return [BlockWeights(*weights[at : at + each]) for at in range(0, len(weights), each)]


def _new(layout: Layout, x: Tensor) -> Callable[..., Tensor]:
    """What makes planes: at padding nothing is attended, and what is there must be finite."""
    return x.new_empty if layout.groups is None else x.new_zeros


def _drawn(dropout: Dropout | None, count: int, each: int) -> Drawn:
    """For `count` blocks, so many units each."""
    if dropout is None:
        return Drawn(NO_UNITS.repeat(count).reshape(count, 0), 0, 1.0)
    units = dropout.units(count * each).reshape(count, each)
    return Drawn(units, dropout.threshold, dropout.scale)


def _zeros(weights: Weights, spans: Spans, x: Tensor) -> list[Tensor]:
    """Where the parts add up gradients: [N, parts, ...] for weights [N, ...]."""
    parts = len(spans.edges) - 1
    return [x.new_zeros(len(array), parts, *array.shape[1:]) for array in weights]


def _for_loops(weights: list[BlockWeights], num_heads: int) -> Weights:
    """The weights as loops want them.

    Queries are scaled by 1 / sqrt(d). The keys' bias b adds the same to all scores of a query,
    which softmax forgets: it is left out. With one head the keys' weights are taken in, since
    (W_q x + b_q) (W_k c) = (W_k^T W_q x + W_k^T b_q) c, so that the context itself serves as keys.
    """
    matrices, vectors = [], []
    for w in weights:
        projection, bias = w.projection, w.projection_bias
        if projection is None:
            projection, bias = w.value, w.value_bias  # there must be one, nothing reads it
        matrices += (w.query, w.key, w.value, projection, w.inner, w.outer)
        vectors += (w.query_bias, w.key_bias, w.value_bias, bias, w.inner_bias, w.outer_bias)
        vectors += (w.attention_norm, w.attention_norm_bias)
        vectors += (w.feed_forward_norm, w.feed_forward_norm_bias)
    matrices = torch.stack(matrices).unflatten(0, (len(weights), -1))
    vectors = torch.stack(vectors).unflatten(0, (len(weights), -1))
    query, query_bias = matrices[:, Matrix.QUERY], vectors[:, Matrix.QUERY]
    scale = _scale(weights, num_heads)
    query *= scale
    query_bias *= scale
    vectors[:, Matrix.KEY] = 0
    if num_heads == 1:
        key = matrices[:, Matrix.KEY]
        query.copy_(key.mT @ query)
        query_bias.copy_((query_bias[:, None] @ key)[:, 0])
    return Weights(matrices.numpy(), vectors.numpy())


def _from_loops(
    matrices: Tensor, vectors: Tensor, weights: list[BlockWeights], setting: Setting
) -> list[Tensor | None]:
    """The gradients of `weights` by those of what `_for_loops` made of them."""
    query, query_bias = matrices[:, Matrix.QUERY], vectors[:, Matrix.QUERY]
    scale = _scale(weights, setting.num_heads)
    query *= scale
    query_bias *= scale
    vectors[:, Matrix.KEY] = 0
    if setting.num_heads == 1:
        given, bias, key = (
            torch.stack([getattr(w, name) for w in weights])
            for name in ("query", "query_bias", "key")
        )
        outer = bias[:, :, None] * query_bias[:, None]
        matrices[:, Matrix.KEY] = torch.baddbmm(outer, given, query.mT)
        query.copy_(key @ query)
        query_bias.copy_((key @ query_bias[:, :, None])[:, :, 0])
    grads: list[Tensor | None] = []
    for matrix, vector in zip(matrices, vectors, strict=True):
        layers = zip(matrix.unbind(), vector[: len(Matrix)].unbind(), strict=True)
        query, key, value, projection, inner, outer = layers
        attention, feed_forward = vector[len(Matrix) :].split(2)
        if not setting.projects:
            projection = (None, None)
        grads += (*attention, *query, *key, *value, *projection, *feed_forward, *inner, *outer)
    return grads


def _scale(weights: list[BlockWeights], num_heads: int) -> float:
    """1 / sqrt(d)"""
    return (num_heads / len(weights[0].query)) ** 0.5
