"""A block of the model and its gradient as compiled loops, over a range of whole sequences.

Shapes: B sequences, T slots, D hidden size, H heads.

The formula is `Block` in model.py; with n = LN(x), and each of the names in VARIANTS raw or normed:

    pre-norm    y = residual + attend(query, key_value);  z = LN(y);      out = (y or z) + g(z)
    post-norm   y = x + attend(x, x);                     z = LN(y);      out = LN(z + g(z))

Sequences do not meet, so a part of a batch goes through all of it at once: no thread waits for
another, and what one step passes to the next stays in its processor's cache.

What both kernels have in common:
    matrices [MATRICES, D, D] (out, in) and their biases [MATRICES, D]; norms [NORMS, D]. Queries
        are scaled, and with one head have the keys' weights taken in (fused_block.py).
    query_normed, key_value_normed, residual_normed, after: as in `Variant`; adds: whether there are
        residuals; projects: whether there is an output projection.
    starts, lengths, triangles [B]: see `Spans`.
    planes [PLANES, T, D], moments [2, 2, T] of both norms, attention: what is kept for the gradient.
    attention_units, hidden_units, result_units: for dropout, flat; empty without.
"""

import numpy as np

from sasrec.kernels import joined, kernel, specialised

SIZE, HEADS, SINGLE = (globals()[name] for name in ("SIZE", "HEADS", "SINGLE"))  # by specialised
ZERO = np.float32(0)
QUERY, KEY, VALUE, PROJECTION, INNER, OUTER, MATRICES = range(7)
NORM1, NORM1_BIAS, NORM2, NORM2_BIAS, NORMS = range(5)
PLANES = 10  # normed x; queries; keys; values; attended; projected; y; z; hidden layer; z + g(z)
SCRATCH = 6  # [T, D] arrays that `backward` works in

_attention = specialised("attention_kernels", HEAD_SIZE=SIZE // HEADS, SINGLE=SINGLE)
_position = specialised("position_kernels", SIZE=SIZE)
_linear = specialised("linear_kernels", SIZE=SIZE)
attend, attend_backward = _attention.forward.alone, _attention.backward.alone
norm, norm_backward, drop = (
    function.alone for function in (_position.norm, _position.norm_backward, _position.drop)
)
drop_relu, drop_relu_backward = _position.drop_relu, _position.drop_relu_backward
add, fill = _position.add, _position.fill
along, across, linear, outer_products = (
    _linear.along, _linear.across, _linear.linear, _linear.outer_products,
)  # fmt: skip


@joined
def _slots(starts, count, start, stop):  # noqa: ANN001, ANN202
    """The slots of sequences start .. stop - 1, with what lies between them."""
    first = starts[start] if start > 0 else 0
    return first, starts[stop] if stop < len(starts) else count


@joined
def _layer(x, weight, bias, y, first, last):  # noqa: ANN001, ANN202
    """y = x W^T + bias"""
    linear(x, across(weight), y, False, first, last)
    for t in range(first, last):
        row = y[t]
        for d in range(SIZE):
            row[d] += bias[d]


@joined
def _layer_backward(gradient, x, weight, of_x, adds, of_weight, of_bias, first, last):  # noqa: ANN001, ANN202
    """Fill of_x, or add to it; fill of_weight and add to of_bias."""
    outer_products(gradient, x, of_weight, first, last)
    for t in range(first, last):
        row = gradient[t]
        for d in range(SIZE):
            of_bias[d] += row[d]
    linear(gradient, along(weight), of_x, adds, first, last)


@kernel
def forward(
    x, matrices, biases, norms, query_normed, key_value_normed, residual_normed, after, adds,
    projects, starts, lengths, triangles, attention_units, hidden_units, result_units, threshold,
    scale, epsilon, planes, moments, attention, out, part, start, stop,
):  # fmt: skip  # noqa: ANN001, ANN201
    """Fill planes, moments, attention and out [T, D], from x [T, D]."""
    if start == stop:
        return
    first, last = _slots(starts, len(x), start, stop)
    normed, query, key, value, attended = planes[0], planes[1], planes[2], planes[3], planes[4]
    projected, y, z, hidden, total = planes[5], planes[6], planes[7], planes[8], planes[9]

    if not after:
        norm(x, norms[NORM1], norms[NORM1_BIAS], epsilon, normed, moments[0], part, first, last)
    asking = normed if query_normed else x
    context = normed if key_value_normed else x
    residual = normed if residual_normed else x
    _layer(asking, matrices[QUERY], biases[QUERY], query, first, last)
    _layer(context, matrices[VALUE], biases[VALUE], value, first, last)
    if HEADS > 1:
        linear(context, across(matrices[KEY]), key, False, first, last)
    else:
        key = context
    attend(
        query, key, value, starts, lengths, triangles, HEADS, attention_units, threshold, scale,
        attended, attention, part, start, stop,
    )  # fmt: skip
    if projects:
        _layer(attended, matrices[PROJECTION], biases[PROJECTION], projected, first, last)
        attended = projected
    if not adds:
        fill(ZERO, y, first, last)
        residual = y
    add(residual, attended, y, first, last)

    if after:
        norm(y, norms[NORM1], norms[NORM1_BIAS], epsilon, z, moments[0], part, first, last)
    else:
        norm(y, norms[NORM2], norms[NORM2_BIAS], epsilon, z, moments[1], part, first, last)
    residual = z if residual_normed or after else y
    _layer(z, matrices[INNER], biases[INNER], hidden, first, last)
    drop_relu(hidden, hidden_units, threshold, scale, first, last)
    result = total if after else out
    _layer(hidden, matrices[OUTER], biases[OUTER], result, first, last)
    if len(result_units):
        drop(result, result_units, threshold, scale, result, part, first, last)
    if adds:
        add(residual, result, result, first, last)
    if after:
        norm(total, norms[NORM2], norms[NORM2_BIAS], epsilon, out, moments[1], part, first, last)


@kernel
def backward(
    gradient, x, matrices, norms, query_normed, key_value_normed, residual_normed, after, adds,
    projects, starts, lengths, triangles, result_units, threshold, scale, planes, moments,
    attention, scratch, of_x, of_matrices, of_biases, of_norms, part, start, stop,
):  # fmt: skip  # noqa: ANN001, ANN201
    """Fill of_x [T, D] and of_matrices, add to of_biases and of_norms, from the gradient of out.

    The sums over slots have an axis of parts: [parts, MATRICES, ..], but [NORMS, parts, D].
    """
    if start == stop:
        return
    first, last = _slots(starts, len(x), start, stop)
    normed, query, key, value, attended = planes[0], planes[1], planes[2], planes[3], planes[4]
    projected, y, z, hidden, total = planes[5], planes[6], planes[7], planes[8], planes[9]
    of_matrices, of_biases = of_matrices[part], of_biases[part]
    of_norm1, of_norm1_bias = of_norms[NORM1], of_norms[NORM1_BIAS]
    of_norm2, of_norm2_bias = of_norms[NORM2], of_norms[NORM2_BIAS]

    # From the gradient of out to that of y.
    of_result, of_update, of_hidden, of_z, of_y = (
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[4],
    )  # fmt: skip
    if after:
        norm_backward(gradient, total, norms[NORM2], moments[1], of_result, of_norm2, of_norm2_bias, part, first, last)
    else:
        of_result = gradient
    if len(result_units):
        drop(of_result, result_units, threshold, scale, of_update, part, first, last)
    else:
        of_update = of_result
    _layer_backward(of_update, hidden, matrices[OUTER], of_hidden, False, of_matrices[OUTER], of_biases[OUTER], first, last)
    drop_relu_backward(of_hidden, hidden, scale, first, last)
    _layer_backward(of_hidden, z, matrices[INNER], of_z, False, of_matrices[INNER], of_biases[INNER], first, last)
    if adds and (residual_normed or after):
        add(of_z, of_result, of_z, first, last)
    if after:
        norm_backward(of_z, y, norms[NORM1], moments[0], of_y, of_norm1, of_norm1_bias, part, first, last)
    else:
        norm_backward(of_z, y, norms[NORM2], moments[1], of_y, of_norm2, of_norm2_bias, part, first, last)
        if adds and not residual_normed:
            add(of_y, of_result, of_y, first, last)

    # From the gradient of y to those of the inputs of attention, raw or normed, and to that of x.
    asking = normed if query_normed else x
    context = normed if key_value_normed else x
    of_attended, of_query, of_key, of_value, of_normed = (
        scratch[0], scratch[1], scratch[2], scratch[3], scratch[5],
    )  # fmt: skip
    if projects:
        _layer_backward(of_y, attended, matrices[PROJECTION], of_attended, False, of_matrices[PROJECTION], of_biases[PROJECTION], first, last)
    else:
        of_attended = of_y
    attend_backward(
        query, key if HEADS > 1 else context, value, of_attended, starts, lengths, triangles, HEADS,
        attention, scale, of_query, of_key, of_value, part, start, stop,
    )  # fmt: skip
    fill(ZERO, of_x, first, last)
    fill(ZERO, of_normed, first, last)
    of_asking = of_normed if query_normed else of_x
    of_context = of_normed if key_value_normed else of_x
    of_residual = of_normed if residual_normed else of_x
    _layer_backward(of_query, asking, matrices[QUERY], of_asking, True, of_matrices[QUERY], of_biases[QUERY], first, last)
    _layer_backward(of_value, context, matrices[VALUE], of_context, True, of_matrices[VALUE], of_biases[VALUE], first, last)
    if HEADS > 1:
        outer_products(of_key, context, of_matrices[KEY], first, last)
        linear(of_key, along(matrices[KEY]), of_context, True, first, last)
    else:
        add(of_context, of_key, of_context, first, last)
    if adds:
        add(of_residual, of_y, of_residual, first, last)
    if not after:
        norm_backward(of_normed, x, norms[NORM1], moments[0], of_y, of_norm1, of_norm1_bias, part, first, last)
        add(of_x, of_y, of_x, first, last)
