"""Products of small matrices: what attention and linear layers are made of.

Four rows and four terms at a time: a sum is then read and written once for four products, and a
vector of the other matrix once for sixteen. Matrices are copied to rows of whole vectors, with
zeros at their ends, where they stay in the processor's nearest cache.
"""

import numpy as np

from sasrec.kernels.parts import compiled

ROWS = 4  # of one pass
VECTOR = 16  # numbers that a processor handles at once; float32 of AVX-512
ZERO = np.float32(0)


@compiled
def padded(size, multiple):
    """The least multiple that is not under `size`."""
    return -(-size // multiple) * multiple


@compiled
def load(array, slot, count, column, size, rows):
    """rows[:count, :size] = array[slot:, column:]"""
    for i in range(count):
        source, row = array[slot + i], rows[i]
        for d in range(size):
            row[d] = source[column + d]


@compiled
def load_transposed(array, slot, count, column, size, columns):
    """columns[:size, :count] = array[slot:, column:]^T"""
    for i in range(count):
        source = array[slot + i]
        for d in range(size):
            columns[d, i] = source[column + d]


@compiled
def store(rows, count, size, array, slot, column):
    """array[slot:, column:] = rows[:count, :size]"""
    for i in range(count):
        row, target = rows[i], array[slot + i]
        for d in range(size):
            target[column + d] = row[d]


@compiled
def products(rows, columns, count, depth, out):
    """out[:, :count] = rows[:, :depth] columns[:depth, :count] for four rows."""
    out0, out1, out2, out3 = out[0], out[1], out[2], out[3]
    row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
    for j in range(count):
        out0[j] = out1[j] = out2[j] = out3[j] = ZERO
    for d in range(0, depth, 4):
        x, y, z, w = columns[d], columns[d + 1], columns[d + 2], columns[d + 3]
        a0, a1, a2, a3 = row0[d], row0[d + 1], row0[d + 2], row0[d + 3]
        b0, b1, b2, b3 = row1[d], row1[d + 1], row1[d + 2], row1[d + 3]
        c0, c1, c2, c3 = row2[d], row2[d + 1], row2[d + 2], row2[d + 3]
        e0, e1, e2, e3 = row3[d], row3[d + 1], row3[d + 2], row3[d + 3]
        for j in range(count):
            out0[j] += a0 * x[j] + a1 * y[j] + a2 * z[j] + a3 * w[j]
            out1[j] += b0 * x[j] + b1 * y[j] + b2 * z[j] + b3 * w[j]
            out2[j] += c0 * x[j] + c1 * y[j] + c2 * z[j] + c3 * w[j]
            out3[j] += e0 * x[j] + e1 * y[j] + e2 * z[j] + e3 * w[j]


@compiled
def add_transposed_products(rows, first, columns, count, depth, out):
    """out[first:, :count] += rows[:depth, first:]^T columns[:depth, :count] for four rows."""
    out0, out1, out2, out3 = out[first], out[first + 1], out[first + 2], out[first + 3]
    for i in range(0, depth, 4):
        x, y, z, w = columns[i], columns[i + 1], columns[i + 2], columns[i + 3]
        row0, row1, row2, row3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        a0, a1, a2, a3 = row0[first], row1[first], row2[first], row3[first]
        b0, b1, b2, b3 = row0[first + 1], row1[first + 1], row2[first + 1], row3[first + 1]
        c0, c1, c2, c3 = row0[first + 2], row1[first + 2], row2[first + 2], row3[first + 2]
        e0, e1, e2, e3 = row0[first + 3], row1[first + 3], row2[first + 3], row3[first + 3]
        for j in range(count):
            out0[j] += a0 * x[j] + a1 * y[j] + a2 * z[j] + a3 * w[j]
            out1[j] += b0 * x[j] + b1 * y[j] + b2 * z[j] + b3 * w[j]
            out2[j] += c0 * x[j] + c1 * y[j] + c2 * z[j] + c3 * w[j]
            out3[j] += e0 * x[j] + e1 * y[j] + e2 * z[j] + e3 * w[j]
