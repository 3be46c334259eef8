"""Layer norm, dropout and relu, over slots first .. stop - 1.

Shapes: T slots, D hidden size. A unit is dropped where its random number, of units [T D], is under
the threshold, and else scaled (model/dropout.py).
"""

import numpy as np

from sasrec.kernels.parts import compiled, inner

ZERO, ONE = np.float32(0), np.float32(1)


@inner
def norm(x, weight, bias, epsilon, y, moments, first, stop):
    """y = (x - mean) scale weight + bias, and moments [2, T] = means and scales."""
    size, kind = len(weight), x.dtype.type
    share, little = ONE / kind(size), kind(epsilon)
    centred = np.empty(size, x.dtype)
    for i in range(first, stop):
        row, out = x[i], y[i]
        total = ZERO
        for d in range(size):
            total += row[d]
        mean = total * share
        squares = ZERO
        for d in range(size):
            centred[d] = row[d] - mean
            squares += centred[d] * centred[d]
        scale = ONE / np.sqrt(squares * share + little)
        for d in range(size):
            out[d] = centred[d] * scale * weight[d] + bias[d]
        moments[0, i], moments[1, i] = mean, scale


@inner
def norm_backward(gradient, x, weight, moments, grad_x, grad_weight, grad_bias, first, stop):
    """Fill grad_x [T, D], and add to grad_weight and grad_bias [D].

    With n = (x - mean) scale and g = gradient weight: scale (g - mean of g - n mean of g n).
    """
    size = len(weight)
    share = ONE / x.dtype.type(size)
    for i in range(first, stop):
        row, toward, out = x[i], gradient[i], grad_x[i]
        mean, scale = moments[0, i], moments[1, i]
        total, along = ZERO, ZERO
        for d in range(size):
            normed = (row[d] - mean) * scale
            total += toward[d] * weight[d]
            along += toward[d] * weight[d] * normed
            grad_weight[d] += toward[d] * normed
            grad_bias[d] += toward[d]
        total, along = total * share, along * share
        for d in range(size):
            normed = (row[d] - mean) * scale
            out[d] = (toward[d] * weight[d] - total - normed * along) * scale


@inner
def drop(x, units, threshold, scale, out, first, stop):
    """out = dropout(x)"""
    size, factor, limit = x.shape[1], x.dtype.type(scale), units.dtype.type(threshold)
    for t in range(first, stop):
        row, unit, result = x[t], units[t * size : (t + 1) * size], out[t]
        for d in range(size):
            scaled = row[d] * factor
            result[d] = scaled if unit[d] >= limit else ZERO


@inner
def drop_relu(x, units, threshold, scale, first, stop):
    """x = dropout(relu(x)); without units relu alone."""
    size, factor, limit = x.shape[1], x.dtype.type(scale), units.dtype.type(threshold)
    for t in range(first, stop):
        row = x[t]
        if len(units):
            unit = units[t * size : (t + 1) * size]
            for d in range(size):
                scaled = ZERO if row[d] <= ZERO else row[d] * factor  # NaN stays
                row[d] = scaled if unit[d] >= limit else ZERO
        else:
            for d in range(size):
                row[d] = ZERO if row[d] <= ZERO else row[d]


@inner
def drop_relu_backward(gradient, result, scale, first, stop):
    """The gradient of `drop_relu` in place; its result is 0 exactly where none passes."""
    size, factor = gradient.shape[1], gradient.dtype.type(scale)
    for t in range(first, stop):
        row, kept = gradient[t], result[t]
        for d in range(size):
            scaled = row[d] * factor
            row[d] = scaled if kept[d] != ZERO else ZERO


@inner
def add(x, y, out, first, stop):
    """out = x + y"""
    for t in range(first, stop):
        row, other, result = x[t], y[t], out[t]
        for d in range(len(row)):
            result[d] = row[d] + other[d]


@inner
def copy(x, out, first, stop):
    """out = x"""
    for t in range(first, stop):
        row, result = x[t], out[t]
        for d in range(len(row)):
            result[d] = row[d]


@inner
def clear(out, first, stop):
    """out = 0"""
    for t in range(first, stop):
        row = out[t]
        for d in range(len(row)):
            row[d] = ZERO


@compiled
def norm_part(x, weight, bias, epsilon, y, moments, part, start, stop):
    norm(x, weight, bias, epsilon, y, moments, start, stop)


@compiled
def norm_backward_part(gradient, x, weight, moments, grad_x, sums, part, start, stop):
    """With grad_weight and grad_bias of each part in sums [parts, 2, D]."""
    norm_backward(gradient, x, weight, moments, grad_x, sums[part, 0], sums[part, 1], start, stop)


@compiled
def drop_part(x, units, threshold, scale, out, part, start, stop):
    drop(x, units, threshold, scale, out, start, stop)
