"""A block of the model and its gradient, over whole sequences.

Shapes: B sequences, T slots, D hidden size, H heads.

The formula is `Block` in model/block.py; with n = LN(x), and each of query, key_value and residual
raw or normed:

    pre-norm    y = residual + attend(query, key_value);  z = LN(y);      out = (y or z) + g(z)
    post-norm   y = x + attend(x, x);                     z = LN(y);      out = LN(z + g(z))

Sequences do not meet, so a part of a batch goes through all of it at once: no thread waits for
another, and what one step passes to the next stays in its processor's cache.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from sasrec.kernels.loops.attention import attend, attend_backward
from sasrec.kernels.loops.linear import layer, layer_backward
from sasrec.kernels.loops.position import (
    add,
    clear,
    copy,
    drop,
    drop_relu,
    drop_relu_backward,
    norm,
    norm_backward,
)
from sasrec.kernels.parts import inner

Array = np.ndarray


class Matrix(IntEnum):
    """Which of a block's matrices [6, D, D] (out, in) a linear layer has; its bias beside it."""

    QUERY = 0
    KEY = 1
    VALUE = 2
    PROJECTION = 3
    INNER = 4
    OUTER = 5


class Vector(IntEnum):
    """Which of a block's vectors [10, D] a layer has: biases, by `Matrix`, and then norms."""

    ATTENTION_NORM = 6
    ATTENTION_NORM_BIAS = 7
    FEED_FORWARD_NORM = 8
    FEED_FORWARD_NORM_BIAS = 9


class Plane(IntEnum):
    """Which of a block's planes [10, T, D] that the gradient needs holds what."""

    NORMED = 0
    QUERY = 1
    KEY = 2
    VALUE = 3
    ATTENDED = 4
    PROJECTED = 5
    Y = 6
    Z = 7
    HIDDEN = 8
    TOTAL = 9  # what post-norm norms at the end


class Setting(NamedTuple):
    """What kind of block it is.

    Attributes:
        query_normed, key_value_normed, residual_normed, post_norm: as in `Variant`.
        adds: whether there are residuals.
        projects: whether there is an output projection.
    """

    query_normed: bool
    key_value_normed: bool
    residual_normed: bool
    post_norm: bool
    adds: bool
    projects: bool
    num_heads: int
    epsilon: float


class Drops(NamedTuple):
    """Random numbers of what may be dropped, flat; empty without dropout.

    Attributes:
        attention: of the weights, as `attend` keeps them; hidden, result: [T D].
    """

    attention: Array
    hidden: Array
    result: Array
    threshold: int
    scale: float


class Kept(NamedTuple):
    """What the gradient needs.

    Attributes:
        planes: [10, T, D], see `Plane`.
        moments: [2, 2, T], of attention's and the feed-forward's norm.
        attention: its weights, as `attend` keeps them.
    """

    planes: Array
    moments: Array
    attention: Array


class Weights(NamedTuple):
    """Those of a block as loops want them, or their gradients by part.

    Attributes:
        matrices: [..., 6, D, D], see `Matrix`; vectors: [..., 10, D], see `Vector`.
    """

    matrices: Array
    vectors: Array


SCRATCH = 6  # [T, D] arrays that the gradient works in


@inner
def _slots(starts, count, start, stop):
    """The slots of sequences start .. stop - 1, with what lies between them."""
    first = starts[start] if start > 0 else 0
    return first, starts[stop] if stop < len(starts) else count


@inner
def _norm(x, weights, which, epsilon, y, moments, first, last):
    norm(x, weights.vectors[which], weights.vectors[which + 1], epsilon, y, moments, first, last)


@inner
def _norm_backward(gradient, x, weights, which, moments, grad_x, grads, part, first, last):
    norm_backward(gradient, x, weights.vectors[which], moments, grad_x, grads.vectors[part, which],
                  grads.vectors[part, which + 1], first, last)  # fmt: skip


@inner
def _attention(x, weights, setting, spans, drops, kept, start, stop):
    """Fill the planes up to Y, by sequences start .. stop - 1."""
    first, last = _slots(spans.starts, len(x), start, stop)
    planes = kept.planes
    query, key, value, attended = (
        planes[Plane.QUERY], planes[Plane.KEY], planes[Plane.VALUE], planes[Plane.ATTENDED],
    )  # fmt: skip
    asking, context, residual = _inputs(x, planes[Plane.NORMED], setting)
    layer(asking, weights, Matrix.QUERY, query, first, last)
    layer(context, weights, Matrix.VALUE, value, first, last)
    if setting.num_heads > 1:
        layer(context, weights, Matrix.KEY, key, first, last)
    else:
        key = context
    attend(query, key, value, setting.num_heads, spans, drops.attention, drops.threshold,
           drops.scale, attended, kept.attention, start, stop)  # fmt: skip
    if setting.projects:
        layer(attended, weights, Matrix.PROJECTION, planes[Plane.PROJECTED], first, last)
        attended = planes[Plane.PROJECTED]
    _sum(residual, attended, setting.adds, planes[Plane.Y], first, last)


@inner
def _inputs(x, normed, setting):
    """What queries, and keys and values, are made of, and what is added."""
    return (
        normed if setting.query_normed else x,
        normed if setting.key_value_normed else x,
        normed if setting.residual_normed else x,
    )


@inner
def _sum(residual, update, adds, out, first, last):
    if adds:
        add(residual, update, out, first, last)
    else:
        copy(update, out, first, last)


@inner
def _feed_forward(weights, setting, drops, kept, out, first, last):
    """out = (z or y) + g(z), and the plane HIDDEN."""
    planes, threshold, scale = kept.planes, drops.threshold, drops.scale
    y, z, hidden = planes[Plane.Y], planes[Plane.Z], planes[Plane.HIDDEN]
    layer(z, weights, Matrix.INNER, hidden, first, last)
    drop_relu(hidden, drops.hidden, threshold, scale, first, last)
    layer(hidden, weights, Matrix.OUTER, out, first, last)
    if len(drops.result):
        drop(out, drops.result, threshold, scale, out, first, last)
    if setting.adds:
        add(z if setting.residual_normed or setting.post_norm else y, out, out, first, last)


@inner
def forward(x, weights, setting, spans, drops, kept, out, part, start, stop):
    """Fill `kept` and out [T, D], from x [T, D]."""
    if start == stop:
        return
    first, last = _slots(spans.starts, len(x), start, stop)
    planes, moments, epsilon = kept.planes, kept.moments, setting.epsilon
    y, z, total = planes[Plane.Y], planes[Plane.Z], planes[Plane.TOTAL]
    if setting.post_norm:
        _attention(x, weights, setting, spans, drops, kept, start, stop)
        _norm(y, weights, Vector.ATTENTION_NORM, epsilon, z, moments[0], first, last)
        _feed_forward(weights, setting, drops, kept, total, first, last)
        _norm(total, weights, Vector.FEED_FORWARD_NORM, epsilon, out, moments[1], first, last)
    else:
        normed = planes[Plane.NORMED]
        _norm(x, weights, Vector.ATTENTION_NORM, epsilon, normed, moments[0], first, last)
        _attention(x, weights, setting, spans, drops, kept, start, stop)
        _norm(y, weights, Vector.FEED_FORWARD_NORM, epsilon, z, moments[1], first, last)
        _feed_forward(weights, setting, drops, kept, out, first, last)


@inner
def _feed_forward_backward(gradient, weights, setting, drops, kept, scratch, grads, part, first,
                           last):  # fmt: skip
    """From the gradient of `_feed_forward`'s result to that of z, scratch[3]."""
    grad_update, grad_hidden, grad_z = scratch[1], scratch[2], scratch[3]
    hidden, z = kept.planes[Plane.HIDDEN], kept.planes[Plane.Z]
    if len(drops.result):
        drop(gradient, drops.result, drops.threshold, drops.scale, grad_update, first, last)
    else:
        grad_update = gradient
    layer_backward(grad_update, hidden, weights, Matrix.OUTER, False, grad_hidden, grads, part,
                    first, last)  # fmt: skip
    drop_relu_backward(grad_hidden, hidden, drops.scale, first, last)
    layer_backward(grad_hidden, z, weights, Matrix.INNER, False, grad_z, grads, part, first, last)
    if setting.adds and (setting.residual_normed or setting.post_norm):
        add(grad_z, gradient, grad_z, first, last)


@inner
def _attention_backward(grad_y, x, weights, setting, spans, drops, kept, scratch, grad_x,
                        grads, part, start, stop):  # fmt: skip
    """From the gradient of y to that of x, grad_x, and of the normed x, scratch[5]."""
    first, last = _slots(spans.starts, len(x), start, stop)
    planes, grad_normed = kept.planes, scratch[5]
    grad_attended, grad_query, grad_key, grad_value = scratch[0], scratch[1], scratch[2], scratch[3]
    if setting.projects:
        layer_backward(grad_y, planes[Plane.ATTENDED], weights, Matrix.PROJECTION, False,
                        grad_attended, grads, part, first, last)  # fmt: skip
    else:
        grad_attended = grad_y
    asking, context, _ = _inputs(x, planes[Plane.NORMED], setting)
    key = planes[Plane.KEY] if setting.num_heads > 1 else context
    attend_backward(planes[Plane.QUERY], key, planes[Plane.VALUE], setting.num_heads, spans,
                    kept.attention, drops.scale, grad_attended, grad_query, grad_key, grad_value,
                    start, stop)  # fmt: skip
    clear(grad_x, first, last)
    clear(grad_normed, first, last)
    grad_asking, grad_context, grad_residual = _inputs(grad_x, grad_normed, setting)
    layer_backward(grad_query, asking, weights, Matrix.QUERY, True, grad_asking, grads, part,
                    first, last)  # fmt: skip
    layer_backward(grad_value, context, weights, Matrix.VALUE, True, grad_context, grads, part,
                    first, last)  # fmt: skip
    if setting.num_heads > 1:
        layer_backward(grad_key, context, weights, Matrix.KEY, True, grad_context, grads, part,
                        first, last)  # fmt: skip
    else:
        add(grad_context, grad_key, grad_context, first, last)
    if setting.adds:
        add(grad_residual, grad_y, grad_residual, first, last)


@inner
def backward(gradient, x, weights, setting, spans, drops, kept, scratch, grad_x, grads, part,
             start, stop):  # fmt: skip
    """Fill grad_x [T, D], and the part's `grads`, 0 before, from the gradient of `out`."""
    if start == stop:
        return
    first, last = _slots(spans.starts, len(x), start, stop)
    planes, moments = kept.planes, kept.moments
    grad_total, grad_z, grad_y, grad_normed = scratch[0], scratch[3], scratch[4], scratch[5]
    y, total = planes[Plane.Y], planes[Plane.TOTAL]
    if setting.post_norm:
        _norm_backward(gradient, total, weights, Vector.FEED_FORWARD_NORM, moments[1], grad_total,
                       grads, part, first, last)  # fmt: skip
        _feed_forward_backward(grad_total, weights, setting, drops, kept, scratch, grads, part,
                               first, last)  # fmt: skip
        _norm_backward(grad_z, y, weights, Vector.ATTENTION_NORM, moments[0], grad_y, grads, part,
                       first, last)  # fmt: skip
        _attention_backward(grad_y, x, weights, setting, spans, drops, kept, scratch, grad_x,
                            grads, part, start, stop)  # fmt: skip
    else:
        _feed_forward_backward(gradient, weights, setting, drops, kept, scratch, grads, part,
                               first, last)  # fmt: skip
        _norm_backward(grad_z, y, weights, Vector.FEED_FORWARD_NORM, moments[1], grad_y, grads,
                       part, first, last)  # fmt: skip
        if setting.adds and not setting.residual_normed:
            add(grad_y, gradient, grad_y, first, last)
        _attention_backward(grad_y, x, weights, setting, spans, drops, kept, scratch, grad_x,
                            grads, part, start, stop)  # fmt: skip
        _norm_backward(grad_normed, x, weights, Vector.ATTENTION_NORM, moments[0], grad_y, grads,
                       part, first, last)  # fmt: skip
        add(grad_x, grad_y, grad_x, first, last)
