"""Linear layers and their gradients, over slots first .. stop - 1.

Shapes: T slots, D hidden size.
"""

import numpy as np

from sasrec.kernels.loops.matrix import (
    ZERO,
    add_transposed_products,
    load,
    load_transposed,
    padded,
    products,
    store,
)
from sasrec.kernels.loops.tile import ROWS, VECTOR
from sasrec.kernels.parts import inner

SLOTS = 64  # of one pass of `_outer_products`


@inner
def layer(x, weights, which, y, first, stop):
    """y = x W^T + b, with a matrix W and a vector b of `weights`."""
    weight, bias, size = weights.matrices[which], weights.vectors[which], x.shape[1]
    columns = _empty_columns(weight)
    load_transposed(weight, 0, size, 0, size, columns)
    _multiply(x, columns, False, y, first, stop)
    for t in range(first, stop):
        row = y[t]
        for d in range(size):
            row[d] += bias[d]


@inner
def layer_backward(gradient, x, weights, which, adds, grad_x, grads, part, first, stop):
    """Fill grad_x, or add to it, and fill the part's `grads` of the matrix and the vector."""
    weight, size = weights.matrices[which], x.shape[1]
    _outer_products(gradient, x, grads.matrices[part, which], first, stop)
    grad_bias = grads.vectors[part, which]
    for t in range(first, stop):
        row = gradient[t]
        for d in range(size):
            grad_bias[d] += row[d]
    columns = _empty_columns(weight)
    load(weight, 0, size, 0, size, columns)
    _multiply(gradient, columns, adds, grad_x, first, stop)


@inner
def _empty_columns(weight):
    size = len(weight)
    return np.zeros((padded(size, ROWS), padded(size, VECTOR)), weight.dtype)


@inner
def _multiply(x, columns, adds, y, first, stop):
    """y = x times `columns`, or what is added to y."""
    size, (depth, width) = x.shape[1], columns.shape
    rows = np.zeros((ROWS, depth), x.dtype)
    out = np.zeros((ROWS, width), x.dtype)
    for slot in range(first, stop, ROWS):
        count = min(ROWS, stop - slot)
        load(x, slot, count, 0, size, rows)
        products(rows, columns, width, depth, out)
        if adds:
            for i in range(count):
                row, target = out[i], y[slot + i]
                for d in range(size):
                    target[d] += row[d]
        else:
            store(out, count, size, y, slot, 0)


@inner
def _outer_products(x, y, sums, first, stop):
    """sums [D, D] = x^T y"""
    size = x.shape[1]
    depth, width = padded(size, ROWS), padded(size, VECTOR)
    left = np.zeros((SLOTS, depth), x.dtype)
    right = np.zeros((SLOTS, width), x.dtype)
    total = np.zeros((depth, width), x.dtype)
    for slot in range(first, stop, SLOTS):
        count = min(SLOTS, stop - slot)
        load(x, slot, count, 0, size, left)
        load(y, slot, count, 0, size, right)
        for i in range(count, SLOTS):
            for d in range(depth):
                left[i, d] = ZERO
        for j in range(0, depth, ROWS):
            add_transposed_products(left, j, right, width, padded(count, ROWS), total)
    store(total, size, size, sums, 0, 0)
