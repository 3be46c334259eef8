"""Products of small matrices as compiled loops: what attention and linear layers are made of.

Four rows and four terms at a time: a sum is then read and written once for four products, and a
vector of the other matrix once for sixteen. The other matrix is copied to rows of whole vectors,
with zeros at their ends, where it stays in the processor's nearest cache.
"""

import numpy as np

from sasrec.kernels.parts import inlined

ROWS = 4
ZERO = np.float32(0)


@inlined
def load(array, slot, count, column, size, rows):
    """rows[:count, :size] = array[slot:, column:]"""
    for i in range(count):
        source, row = array[slot + i], rows[i]
        for d in range(size):
            row[d] = source[column + d]


@inlined
def load_across(array, slot, count, column, size, columns):
    """columns[:size, :count] = array[slot:, column:]^T"""
    for i in range(count):
        source = array[slot + i]
        for d in range(size):
            columns[d, i] = source[column + d]


@inlined
def store(rows, count, size, array, slot, column):
    """array[slot:, column:] = rows[:count, :size]"""
    for i in range(count):
        row, target = rows[i], array[slot + i]
        for d in range(size):
            target[column + d] = row[d]


@inlined
def products(rows, columns, count, depth, out):
    """out[:, :count] = rows[:, :depth] columns[:depth, :count] for four rows.

    Four terms at a time, so that a sum is read and written once for four products.
    """
    out0, out1, out2, out3 = out[0], out[1], out[2], out[3]
    row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
    for j in range(count):
        out0[j] = out1[j] = out2[j] = out3[j] = ZERO
    for d in range(0, depth, 4):
        column0, column1, column2, column3 = (
            columns[d],
            columns[d + 1],
            columns[d + 2],
            columns[d + 3],
        )
        a0, a1, a2, a3 = row0[d], row0[d + 1], row0[d + 2], row0[d + 3]
        b0, b1, b2, b3 = row1[d], row1[d + 1], row1[d + 2], row1[d + 3]
        c0, c1, c2, c3 = row2[d], row2[d + 1], row2[d + 2], row2[d + 3]
        e0, e1, e2, e3 = row3[d], row3[d + 1], row3[d + 2], row3[d + 3]
        for j in range(count):
            x0, x1, x2, x3 = column0[j], column1[j], column2[j], column3[j]
            out0[j] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
            out1[j] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
            out2[j] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
            out3[j] += e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3


@inlined
def add_outer(factors, rows, count, width, sums):
    """sums[:count] += factors[:, :count]^T rows for four rows."""
    row0, row1, row2, row3 = rows[0], rows[1], rows[2], rows[3]
    factor0, factor1, factor2, factor3 = factors[0], factors[1], factors[2], factors[3]
    for j in range(count):
        line = sums[j]
        a, b, c, e = factor0[j], factor1[j], factor2[j], factor3[j]
        for d in range(width):
            line[d] += a * row0[d] + b * row1[d] + c * row2[d] + e * row3[d]


@inlined
def add_products_across(rows, first, columns, count, depth, out):
    """out[first:, :count] += rows[:depth, first:]^T columns[:depth, :count] for four rows."""
    out0, out1, out2, out3 = out[first], out[first + 1], out[first + 2], out[first + 3]
    for i in range(0, depth, 4):
        column0, column1, column2, column3 = (
            columns[i],
            columns[i + 1],
            columns[i + 2],
            columns[i + 3],
        )
        row0, row1, row2, row3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        a0, a1, a2, a3 = row0[first], row1[first], row2[first], row3[first]
        b0, b1, b2, b3 = row0[first + 1], row1[first + 1], row2[first + 1], row3[first + 1]
        c0, c1, c2, c3 = row0[first + 2], row1[first + 2], row2[first + 2], row3[first + 2]
        e0, e1, e2, e3 = row0[first + 3], row1[first + 3], row2[first + 3], row3[first + 3]
        for j in range(count):
            x0, x1, x2, x3 = column0[j], column1[j], column2[j], column3[j]
            out0[j] += a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
            out1[j] += b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
            out2[j] += c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
            out3[j] += e0 * x0 + e1 * x1 + e2 * x2 + e3 * x3
