"""Causal attention of sequences that lie end to end, and its gradient, as compiled loops
for one head size.

Shapes: B sequences of L positions each, T slots, D hidden size, H heads, d = D / H.

For each sequence and head, with queries already scaled:

    W = softmax(Q K^T + causal mask),  W' = W times dropout's factors,  O = W' V

and, with a gradient O~ of the output:

    V~ = W'^T O~,  W~ = (O~ V^T) times the factors,  S~ = W (W~ - row sums of W W~),
    Q~ = S~ K,  K~ = S~^T Q

Four queries at a time meet the keys up to the last of them: nothing is computed for padding, for
other sequences, or, but for three keys, for later positions, and all but the weights stays in the
processor's nearest cache. Weights are kept without the later positions, row after row, and are
negative where dropout drops them; those of a sequence, L (L + 1) / 2 a head, begin at H times its
entry in `triangles`.
"""

import math

import numpy as np

from sasrec.kernels.loops.matrix import ROWS, add_outer, load, load_across, products, store
from sasrec.kernels.parts import inlined, inlined_fast, kernel

HEAD_SIZE, SINGLE = globals()["HEAD_SIZE"], globals()["SINGLE"]  # by kernels.specialised
WIDTH, DEPTH = -(-HEAD_SIZE // 16) * 16, -(-HEAD_SIZE // ROWS) * ROWS
QUERIES = ROWS  # of one pass
SHORT = 16  # up to so many positions scores are inner products, beyond it rows of sums
ZERO, ONE = np.float32(0), np.float32(1)


@inlined
def _exp(x):
    """e^x for float32 x <= 0, to 2e-7 of itself, by a polynomial (Cephes, expf) that vectorises."""
    x = max(x, np.float32(-87))
    power = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    rest = x - power * np.float32(0.693359375) + power * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * rest + np.float32(1.3981999507e-3)
    y = y * rest + np.float32(8.3334519073e-3)
    y = y * rest + np.float32(4.1665795894e-2)
    y = y * rest + np.float32(1.6666665459e-1)
    y = y * rest + np.float32(5.0000001201e-1)
    y = y * rest * rest + rest + ONE
    two_to_power = np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)
    return y * two_to_power


_exponential = _exp if SINGLE else math.exp


@inlined
def _longest(lengths, start, stop):
    longest = 0
    for sequence in range(start, stop):
        longest = max(longest, lengths[sequence])
    return longest


@inlined_fast
def _largest(row, count):
    """Of the first `count` entries; NaN is passed over, which vectorises, and shows in the rest."""
    largest = row[0]
    for j in range(count):
        largest = max(largest, row[j])
    return largest


@inlined
def _clear(rows, count):
    for i in range(count):
        row = rows[i]
        for d in range(WIDTH):
            row[d] = ZERO


@inlined
def _inner_products(rows, others, first, seen, width, out):
    """out = rows others^T: each of the rows first .. seen - 1 with the others up to itself."""
    for i in range(seen - first):
        row, line = rows[i], out[i]
        for j in range(first + i + 1):
            other = others[j]
            product = ZERO
            for d in range(width):
                product += row[d] * other[d]
            line[j] = product


@kernel
def forward(query, key, value, starts, lengths, triangles, num_heads, units, threshold, scale,
            output, weights, part, start, stop):  # fmt: skip
    """Fill output [T, D] and, if it is not empty, `weights`, from query, key and value [T, D].

    A weight is dropped where its unit is under the threshold; without units none is.
    """
    longest = _longest(lengths, start, stop)
    keys = np.zeros((SHORT, WIDTH), query.dtype)
    keys_across = np.zeros((WIDTH, longest + QUERIES), query.dtype)
    values = np.zeros((longest + QUERIES, WIDTH), query.dtype)
    queries = np.zeros((QUERIES, WIDTH), query.dtype)
    scores = np.zeros((QUERIES, longest + QUERIES), query.dtype)
    limit = units.dtype.type(threshold)
    outputs = np.zeros((QUERIES, WIDTH), query.dtype)
    for sequence in range(start, stop):
        slot, length = starts[sequence], lengths[sequence]
        for head in range(num_heads):
            column = head * HEAD_SIZE
            triangle = triangles[sequence] * num_heads + head * (length * (length + 1) // 2)
            if length > SHORT:
                load_across(key, slot, length, column, HEAD_SIZE, keys_across)
            else:
                load(key, slot, length, column, HEAD_SIZE, keys)
            load(value, slot, length, column, HEAD_SIZE, values)
            for first in range(0, length, QUERIES):
                seen = min(first + QUERIES, length)
                load(query, slot + first, seen - first, column, HEAD_SIZE, queries)
                if length > SHORT:
                    products(queries, keys_across, seen, DEPTH, scores)
                else:
                    _inner_products(queries, keys, first, seen, WIDTH, scores)
                for row in range(first, seen):
                    score = scores[row - first]
                    largest = _largest(score, row + 1)
                    total = ZERO
                    for j in range(row + 1):
                        power = _exponential(score[j] - largest)
                        score[j] = power
                        total += power
                    share = ONE / total
                    at = triangle + row * (row + 1) // 2
                    for j in range(row + 1):
                        score[j] *= share
                    if len(units):
                        unit = units[at : at + row + 1]
                        kept = weights[at : at + row + 1]
                        for j in range(row + 1):
                            weight = score[j]
                            keep = unit[j] >= limit
                            kept[j] = weight if keep else -weight
                            score[j] = weight * scale if keep else ZERO
                    elif len(weights):
                        kept = weights[at : at + row + 1]
                        for j in range(row + 1):
                            kept[j] = score[j]
                    for j in range(row + 1, first + QUERIES):
                        score[j] = ZERO
                products(scores, values, WIDTH, -(-seen // 4) * 4, outputs)
                store(outputs, seen - first, HEAD_SIZE, output, slot + first, column)


@kernel
def backward(query, key, value, gradient, starts, lengths, triangles, num_heads, weights,
             scale, of_query, of_key, of_value, part, start, stop):  # fmt: skip
    """Fill of_query, of_key and of_value [T, D], from the gradient [T, D] of the output."""
    longest = _longest(lengths, start, stop)
    values = np.zeros((SHORT, WIDTH), query.dtype)
    values_across = np.zeros((WIDTH, longest + QUERIES), query.dtype)
    keys = np.zeros((longest + QUERIES, WIDTH), query.dtype)
    of_keys = np.zeros((longest + QUERIES, WIDTH), query.dtype)
    of_values = np.zeros((longest + QUERIES, WIDTH), query.dtype)
    queries = np.zeros((QUERIES, WIDTH), query.dtype)
    gradients = np.zeros((QUERIES, WIDTH), query.dtype)
    of_queries = np.zeros((QUERIES, WIDTH), query.dtype)
    of_scores = np.zeros((QUERIES, longest + QUERIES), query.dtype)
    dropped = np.zeros((QUERIES, longest + QUERIES), query.dtype)
    for sequence in range(start, stop):
        slot, length = starts[sequence], lengths[sequence]
        for head in range(num_heads):
            column = head * HEAD_SIZE
            triangle = triangles[sequence] * num_heads + head * (length * (length + 1) // 2)
            if length > SHORT:
                load_across(value, slot, length, column, HEAD_SIZE, values_across)
            else:
                load(value, slot, length, column, HEAD_SIZE, values)
            load(key, slot, length, column, HEAD_SIZE, keys)
            _clear(of_keys, length)
            _clear(of_values, length)
            for first in range(0, length, QUERIES):
                seen = min(first + QUERIES, length)
                load(query, slot + first, seen - first, column, HEAD_SIZE, queries)
                load(gradient, slot + first, seen - first, column, HEAD_SIZE, gradients)
                if length > SHORT:
                    products(gradients, values_across, seen, DEPTH, of_scores)
                else:
                    _inner_products(gradients, values, first, seen, WIDTH, of_scores)
                for row in range(first, seen):
                    of_score, drop = of_scores[row - first], dropped[row - first]
                    at = triangle + row * (row + 1) // 2
                    weight = weights[at : at + row + 1]
                    total = ZERO
                    for j in range(row + 1):
                        drop[j] = max(weight[j], ZERO) * scale
                        total += drop[j] * of_score[j]
                    for j in range(row + 1):
                        of_score[j] = drop[j] * of_score[j] - abs(weight[j]) * total
                    for j in range(row + 1, first + QUERIES):
                        of_score[j] = drop[j] = ZERO
                for missing in range(seen - first, QUERIES):
                    for j in range(first + QUERIES):
                        of_scores[missing, j] = dropped[missing, j] = ZERO
                products(of_scores, keys, WIDTH, -(-seen // 4) * 4, of_queries)
                store(of_queries, seen - first, HEAD_SIZE, of_query, slot + first, column)
                add_outer(of_scores, queries, seen, WIDTH, of_keys)
                add_outer(dropped, gradients, seen, WIDTH, of_values)
            store(of_keys, length, HEAD_SIZE, of_key, slot, column)
            store(of_values, length, HEAD_SIZE, of_value, slot, column)
