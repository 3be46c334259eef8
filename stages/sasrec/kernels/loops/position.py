"""Layer norm, dropout, relu and sums as compiled loops, for one hidden size.

Shapes: T slots, D hidden size. A unit is dropped where its random number, of units [T D], is under
the threshold, and else scaled (noise.py).
"""

import numpy as np

from sasrec.kernels.parts import joined, kernel

SIZE = globals()["SIZE"]  # D, by kernels.specialised
ZERO = np.float32(0)


@kernel
def norm(x, weight, bias, epsilon, y, moments, part, start, stop):
    """y = (x - mean) scale weight + bias, and moments [2, T] = means and scales."""
    centred = np.empty(SIZE, x.dtype)
    for i in range(start, stop):
        row, out = x[i], y[i]
        total = ZERO
        for d in range(SIZE):
            total += row[d]
        mean = total / np.float32(SIZE)
        squares = ZERO
        for d in range(SIZE):
            centred[d] = row[d] - mean
            squares += centred[d] * centred[d]
        scale = np.float32(1) / np.sqrt(squares / np.float32(SIZE) + epsilon)
        for d in range(SIZE):
            out[d] = centred[d] * scale * weight[d] + bias[d]
        moments[0, i], moments[1, i] = mean, scale


@joined
def norm_backward(gradient, x, weight, moments, of_x, of_weight, of_bias, first, last):
    """Fill of_x [T, D], and add to of_weight and of_bias [D].

    With n = (x - mean) scale and g = gradient weight: scale (g - mean of g - n mean of g n).
    """
    for i in range(first, last):
        row, toward, out = x[i], gradient[i], of_x[i]
        mean, scale = moments[0, i], moments[1, i]
        total, along = ZERO, ZERO
        for d in range(SIZE):
            normed = (row[d] - mean) * scale
            total += toward[d] * weight[d]
            along += toward[d] * weight[d] * normed
            of_weight[d] += toward[d] * normed
            of_bias[d] += toward[d]
        total, along = total / np.float32(SIZE), along / np.float32(SIZE)
        for d in range(SIZE):
            normed = (row[d] - mean) * scale
            out[d] = (toward[d] * weight[d] - total - normed * along) * scale


@kernel
def norm_backward_part(gradient, x, weight, moments, of_x, sums, part, start, stop):
    """`norm_backward`, with of_weight and of_bias of each part in sums [parts, 2, D]."""
    norm_backward(gradient, x, weight, moments, of_x, sums[part, 0], sums[part, 1], start, stop)


@kernel
def drop(x, units, threshold, scale, out, part, start, stop):
    """out = dropout(x)"""
    limit = units.dtype.type(threshold)
    for t in range(start, stop):
        row, unit, result = x[t], units[t * SIZE : (t + 1) * SIZE], out[t]
        for d in range(SIZE):
            scaled = row[d] * scale
            result[d] = scaled if unit[d] >= limit else ZERO


@joined
def drop_relu(x, units, threshold, scale, first, last):
    """x = dropout(relu(x)); without units relu alone."""
    limit = units.dtype.type(threshold)
    for t in range(first, last):
        row = x[t]
        if len(units):
            unit = units[t * SIZE : (t + 1) * SIZE]
            for d in range(SIZE):
                scaled = ZERO if row[d] <= ZERO else row[d] * scale  # NaN stays
                row[d] = scaled if unit[d] >= limit else ZERO
        else:
            for d in range(SIZE):
                row[d] = ZERO if row[d] <= ZERO else row[d]


@joined
def drop_relu_backward(gradient, result, scale, first, last):
    """The gradient of `drop_relu` in place; its result is 0 exactly where none passes."""
    for t in range(first, last):
        row, kept = gradient[t], result[t]
        for d in range(SIZE):
            scaled = row[d] * scale
            row[d] = scaled if kept[d] != ZERO else ZERO


@joined
def add(x, y, out, first, last):
    """out = x + y"""
    for t in range(first, last):
        row, other, result = x[t], y[t], out[t]
        for d in range(SIZE):
            result[d] = row[d] + other[d]


@joined
def fill(value, out, first, last):
    for t in range(first, last):
        row = out[t]
        for d in range(SIZE):
            row[d] = value
