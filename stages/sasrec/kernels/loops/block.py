"""A block of the model and its gradient as compiled loops, over a range of whole sequences.

Shapes: B sequences, T slots, D hidden size, H heads.

The formula is `Block` in model.py; with n = LN(x), and each of the names in VARIANTS raw or normed:

    pre-norm    y = residual + attend(query, key_value);  z = LN(y);      out = (y or z) + g(z)
    post-norm   y = x + attend(x, x);                     z = LN(y);      out = LN(z + g(z))

Sequences do not meet, so a part of a batch goes through all of it at once: no thread waits for
another, and what one step passes to the next stays in its processor's cache.

What the kernels have in common:
    weights [ROWS, D]: matrices (out, in) of D rows and vectors of one, as the constants say; the
        projection may be missing.
    query_normed, key_value_normed, residual_normed, after: as in `Variant`; adds: whether there are
        residuals; projects: whether there is a projection.
    starts, lengths, triangles [B]: see `Spans`.
    planes [PLANES, T, D], moments [2, 2, T] of both norms, attention: what the gradient needs.
    attention_units, hidden_units, result_units: for dropout, flat; empty without.
"""

import math

import numpy as np

from sasrec.kernels.parts import joined, kernel, specialised

SIZE, HEADS, SINGLE = (globals()[name] for name in ("SIZE", "HEADS", "SINGLE"))  # by specialised
ZERO = np.float32(0)
SCALE = math.sqrt(HEADS / SIZE)  # of queries
NORM1, NORM1_BIAS, QUERY = 0, 1, 2
QUERY_BIAS, KEY = QUERY + SIZE, QUERY + SIZE + 1
KEY_BIAS, VALUE = KEY + SIZE, KEY + SIZE + 1
VALUE_BIAS, NORM2 = VALUE + SIZE, VALUE + SIZE + 1
NORM2_BIAS, INNER = NORM2 + 1, NORM2 + 2
INNER_BIAS, OUTER = INNER + SIZE, INNER + SIZE + 1
OUTER_BIAS, PROJECTION = OUTER + SIZE, OUTER + SIZE + 1
PROJECTION_BIAS = PROJECTION + SIZE
PLANES = 10  # normed x; queries; keys; values; attended; projected; y; z; hidden layer; z + g(z)
SCRATCH = 6  # [T, D] arrays that `backward` works in

_attention = specialised("attention", HEAD_SIZE=SIZE // HEADS, SINGLE=SINGLE)
_position = specialised("position", SIZE=SIZE)
_linear = specialised("linear", SIZE=SIZE)
attend, attend_backward = _attention.forward.alone, _attention.backward.alone
norm, norm_backward, drop = _position.norm.alone, _position.norm_backward, _position.drop.alone
drop_relu, drop_relu_backward = _position.drop_relu, _position.drop_relu_backward
add, fill = _position.add, _position.fill
along, across, linear, outer_products = (
    _linear.along, _linear.across, _linear.linear, _linear.outer_products,
)  # fmt: skip


@joined
def _slots(starts, count, start, stop):
    """The slots of sequences start .. stop - 1, with what lies between them."""
    first = starts[start] if start > 0 else 0
    return first, starts[stop] if stop < len(starts) else count


@joined
def _matrix(weights, name):
    return weights[name : name + SIZE]


@joined
def _query(weights):
    """The weight [D, D] and bias [D] of queries, scaled by 1 / sqrt(d).

    With one head the keys' weights are taken in: (x W_q + b_q) (c W_k)^T, with W_q and W_k applied
    from the right, is (x W_q W_k^T + b_q W_k^T) c^T, so that the context itself serves as keys.
    """
    query, bias = np.zeros((SIZE, SIZE), weights.dtype), np.zeros(SIZE, weights.dtype)
    scale = weights.dtype.type(SCALE)
    if HEADS == 1:
        outer_products(_matrix(weights, KEY), _matrix(weights, QUERY), query, 0, SIZE)
        for i in range(SIZE):
            for j in range(SIZE):
                bias[j] += weights[QUERY_BIAS, i] * weights[KEY + i, j]
    else:
        add(query, _matrix(weights, QUERY), query, 0, SIZE)
        for j in range(SIZE):
            bias[j] = weights[QUERY_BIAS, j]
    for i in range(SIZE):
        bias[i] *= scale
        for j in range(SIZE):
            query[i, j] *= scale
    return query, bias


@joined
def gradients(sums, weights, out):
    """Fill out [ROWS, D], the gradient of `weights`, by the parts' sums [parts, ROWS, D]."""
    for row in range(len(out)):
        for d in range(SIZE):
            total = ZERO
            for part in range(len(sums)):
                total += sums[part, row, d]
            out[row, d] = total
    scale = weights.dtype.type(SCALE)
    for row in range(QUERY, QUERY_BIAS + 1):
        for d in range(SIZE):
            out[row, d] *= scale
    if HEADS == 1:  # by way of `_query`
        of_query = np.zeros((SIZE, SIZE), out.dtype)
        add(of_query, _matrix(out, QUERY), of_query, 0, SIZE)
        linear(_matrix(weights, KEY), along(of_query), _matrix(out, QUERY), False, 0, SIZE)
        linear(_matrix(weights, QUERY), across(of_query), _matrix(out, KEY), False, 0, SIZE)
        of_bias = np.zeros(SIZE, out.dtype)
        for i in range(SIZE):
            for j in range(SIZE):
                of_bias[i] += weights[KEY + i, j] * out[QUERY_BIAS, j]
                out[KEY + i, j] += weights[QUERY_BIAS, i] * out[QUERY_BIAS, j]
        for i in range(SIZE):
            out[QUERY_BIAS, i] = of_bias[i]


@joined
def _layer(x, weight, bias, y, first, last):
    """y = x W^T + bias"""
    linear(x, across(weight), y, False, first, last)
    for t in range(first, last):
        row = y[t]
        for d in range(SIZE):
            row[d] += bias[d]


@joined
def _layer_backward(gradient, x, weight, of_x, adds, sums, name, first, last):
    """Fill of_x, or add to it; and the matrix `name` of `sums` with the bias after it."""
    outer_products(gradient, x, _matrix(sums, name), first, last)
    of_bias = sums[name + SIZE]
    for t in range(first, last):
        row = gradient[t]
        for d in range(SIZE):
            of_bias[d] += row[d]
    linear(gradient, along(weight), of_x, adds, first, last)


@kernel
def forward(
    x, weights, query_normed, key_value_normed, residual_normed, after, adds,
    projects, starts, lengths, triangles, attention_units, hidden_units, result_units, threshold,
    scale, epsilon, planes, moments, attention, out, part, start, stop,
):  # fmt: skip
    """Fill planes, moments, attention and out [T, D], from x [T, D]."""
    if start == stop:
        return
    first, last = _slots(starts, len(x), start, stop)
    normed, query, key, value, attended = planes[0], planes[1], planes[2], planes[3], planes[4]
    projected, y, z, hidden, total = planes[5], planes[6], planes[7], planes[8], planes[9]

    if not after:
        norm(x, weights[NORM1], weights[NORM1_BIAS], epsilon, normed, moments[0], part, first, last)
    asking = normed if query_normed else x
    context = normed if key_value_normed else x
    residual = normed if residual_normed else x
    query_weight, query_bias = _query(weights)
    _layer(asking, query_weight, query_bias, query, first, last)
    _layer(context, _matrix(weights, VALUE), weights[VALUE_BIAS], value, first, last)
    if HEADS > 1:
        linear(context, across(_matrix(weights, KEY)), key, False, first, last)
    else:
        key = context
    attend(
        query, key, value, starts, lengths, triangles, HEADS, attention_units, threshold, scale,
        attended, attention, part, start, stop,
    )  # fmt: skip
    if projects:
        _layer(
            attended, _matrix(weights, PROJECTION), weights[PROJECTION_BIAS], projected, first, last
        )
        attended = projected
    if not adds:
        fill(ZERO, y, first, last)
        residual = y
    add(residual, attended, y, first, last)

    if after:
        norm(y, weights[NORM1], weights[NORM1_BIAS], epsilon, z, moments[0], part, first, last)
    else:
        norm(y, weights[NORM2], weights[NORM2_BIAS], epsilon, z, moments[1], part, first, last)
    residual = z if residual_normed or after else y
    _layer(z, _matrix(weights, INNER), weights[INNER_BIAS], hidden, first, last)
    drop_relu(hidden, hidden_units, threshold, scale, first, last)
    result = total if after else out
    _layer(hidden, _matrix(weights, OUTER), weights[OUTER_BIAS], result, first, last)
    if len(result_units):
        drop(result, result_units, threshold, scale, result, part, first, last)
    if adds:
        add(residual, result, result, first, last)
    if after:
        norm(
            total, weights[NORM2], weights[NORM2_BIAS], epsilon, out, moments[1], part, first, last
        )


@kernel
def backward(
    gradient, x, weights, query_normed, key_value_normed, residual_normed, after, adds,
    projects, starts, lengths, triangles, result_units, threshold, scale, planes, moments,
    attention, scratch, of_x, sums, part, start, stop,
):  # fmt: skip
    """Fill of_x [T, D] and the part's sums [parts, ROWS, D], 0 before, from the gradient of out.

    The sums are for `gradients` to finish.
    """
    if start == stop:
        return
    first, last = _slots(starts, len(x), start, stop)
    normed, query, key, value, attended = planes[0], planes[1], planes[2], planes[3], planes[4]
    y, z, hidden, total = planes[6], planes[7], planes[8], planes[9]
    sums = sums[part]

    w = weights
    # From the gradient of out to that of y.
    of_result, of_update, of_hidden, of_z = scratch[0], scratch[1], scratch[2], scratch[3]
    of_y = scratch[4]
    norm_of_sum, bias_of_sum = sums[NORM2], sums[NORM2_BIAS]
    if after:
        norm_backward(
            gradient, total, w[NORM2], moments[1], of_result, norm_of_sum, bias_of_sum, first, last
        )
    else:
        of_result = gradient
    if len(result_units):
        drop(of_result, result_units, threshold, scale, of_update, part, first, last)
    else:
        of_update = of_result
    _layer_backward(
        of_update, hidden, _matrix(w, OUTER), of_hidden, False, sums, OUTER, first, last
    )
    drop_relu_backward(of_hidden, hidden, scale, first, last)
    _layer_backward(of_hidden, z, _matrix(w, INNER), of_z, False, sums, INNER, first, last)
    if adds and (residual_normed or after):
        add(of_z, of_result, of_z, first, last)
    if after:
        norm_backward(
            of_z, y, w[NORM1], moments[0], of_y, sums[NORM1], sums[NORM1_BIAS], first, last
        )
    else:
        norm_backward(of_z, y, w[NORM2], moments[1], of_y, norm_of_sum, bias_of_sum, first, last)
        if adds and not residual_normed:
            add(of_y, of_result, of_y, first, last)

    # From the gradient of y to those of the inputs of attention, raw or normed, and to that of x.
    asking = normed if query_normed else x
    context = normed if key_value_normed else x
    of_attended, of_query, of_key, of_value = scratch[0], scratch[1], scratch[2], scratch[3]
    of_normed = scratch[5]
    if projects:
        projection = _matrix(w, PROJECTION)
        _layer_backward(
            of_y, attended, projection, of_attended, False, sums, PROJECTION, first, last
        )
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
    _layer_backward(of_query, asking, _query(w)[0], of_asking, True, sums, QUERY, first, last)
    _layer_backward(
        of_value, context, _matrix(w, VALUE), of_context, True, sums, VALUE, first, last
    )
    if HEADS > 1:
        outer_products(of_key, context, _matrix(sums, KEY), first, last)
        linear(of_key, along(_matrix(w, KEY)), of_context, True, first, last)
    else:
        add(of_context, of_key, of_context, first, last)
    if adds:
        add(of_residual, of_y, of_residual, first, last)
    if not after:
        norm_backward(
            of_normed, x, w[NORM1], moments[0], of_y, sums[NORM1], sums[NORM1_BIAS], first, last
        )
        add(of_x, of_y, of_x, first, last)
