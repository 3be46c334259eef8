"""Linear layers and their gradients as compiled loops, for one hidden size.

Shapes: T slots, D hidden size.
"""

import numpy as np

from sasrec.kernels.loops.matrix import (
    ROWS,
    ZERO,
    add_products_across,
    load,
    load_across,
    products,
    store,
)
from sasrec.kernels.parts import joined

SIZE = globals()["SIZE"]  # D, by kernels.specialised
WIDTH, DEPTH = -(-SIZE // 16) * 16, -(-SIZE // ROWS) * ROWS
SLOTS = 64  # of one pass of `outer_products`


@joined
def along(weight):
    """`weight` [D, D] as columns of y = x W, for `linear`."""
    columns = np.zeros((DEPTH, WIDTH), weight.dtype)
    load(weight, 0, SIZE, 0, SIZE, columns)
    return columns


@joined
def across(weight):
    """`weight` [D, D] as columns of y = x W^T, a linear layer."""
    columns = np.zeros((DEPTH, WIDTH), weight.dtype)
    load_across(weight, 0, SIZE, 0, SIZE, columns)
    return columns


@joined
def linear(x, columns, y, add, first, last):
    """y [T, D], or what is added to y, of x [T, D], at slots first .. last - 1."""
    rows = np.zeros((ROWS, DEPTH), x.dtype)
    out = np.zeros((ROWS, WIDTH), x.dtype)
    for slot in range(first, last, ROWS):
        count = min(ROWS, last - slot)
        load(x, slot, count, 0, SIZE, rows)
        products(rows, columns, WIDTH, DEPTH, out)
        if add:
            for i in range(count):
                row, target = out[i], y[slot + i]
                for d in range(SIZE):
                    target[d] += row[d]
        else:
            store(out, count, SIZE, y, slot, 0)


@joined
def outer_products(x, y, sums, first, last):
    """sums [D, D] = x^T y over slots first .. last - 1."""
    left = np.zeros((SLOTS, DEPTH), x.dtype)
    right = np.zeros((SLOTS, WIDTH), x.dtype)
    padded = np.zeros((DEPTH, WIDTH), x.dtype)
    for slot in range(first, last, SLOTS):
        count = min(SLOTS, last - slot)
        load(x, slot, count, 0, SIZE, left)
        load(y, slot, count, 0, SIZE, right)
        for i in range(count, SLOTS):
            for d in range(DEPTH):
                left[i, d] = ZERO
        for j in range(0, DEPTH, ROWS):
            add_products_across(left, j, right, WIDTH, -(-count // ROWS) * ROWS, padded)
    store(padded, SIZE, SIZE, sums, 0, 0)
