"""Products of small matrices: what attention and linear layers are made of.

Four rows at a time. Matrices are copied to rows of whole vectors, where they stay in the nearest
cache.
"""

import numpy as np

from sasrec.kernels.loops.tile import VECTOR, tile
from sasrec.kernels.parts import inner

ZERO = np.float32(0)


@inner
def padded(size, multiple):
    """The least multiple that is not under `size`."""
    return -(-size // multiple) * multiple


@inner
def load(array, slot, count, column, size, rows):
    """rows[:count, :size] = array[slot:, column:]"""
    for i in range(count):
        source, row = array[slot + i], rows[i]
        for d in range(size):
            row[d] = source[column + d]


@inner
def load_transposed(array, slot, count, column, size, columns):
    """columns[:size, :count] = array[slot:, column:]^T"""
    for i in range(count):
        source = array[slot + i]
        for d in range(size):
            columns[d, i] = source[column + d]


@inner
def store(rows, count, size, array, slot, column):
    """array[slot:, column:] = rows[:count, :size]"""
    for i in range(count):
        row, target = rows[i], array[slot + i]
        for d in range(size):
            target[column + d] = row[d]


@inner
def products(rows, columns, count, depth, out):
    """out[:, :count] = rows[:, :depth] columns[:depth, :count] for four rows.

    Up to the next multiple of VECTOR; what comes there after `count` is arbitrary.
    """
    for j in range(0, count, VECTOR):
        tile(rows, 0, rows.shape[1], 1, columns, j, columns.shape[1], depth, False,
             out, j, out.shape[1])  # fmt: skip


@inner
def add_transposed_products(rows, first, columns, count, depth, out):
    """out[first:, :count] += rows[:depth, first:]^T columns[:depth, :count] for four rows."""
    for j in range(0, count, VECTOR):
        tile(rows, first, 1, rows.shape[1], columns, j, columns.shape[1], depth, True,
             out, first * out.shape[1] + j, out.shape[1])  # fmt: skip
