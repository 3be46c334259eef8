"""Causal attention of sequences in a batch, and its gradient.

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

import numpy as np

from sasrec.kernels.loops.exponential import power_of
from sasrec.kernels.loops.matrix import (
    ZERO,
    add_transposed_products,
    load,
    load_transposed,
    padded,
    products,
    store,
)
from sasrec.kernels.loops.position import clear
from sasrec.kernels.loops.tile import ROWS, VECTOR
from sasrec.kernels.parts import compiled, inner

SHORT = 16  # up to so many positions scores are inner products, beyond it rows of sums
ONE = np.float32(1)


def _max_of(row, count):
    largest = row[0]
    for j in range(count):
        largest = max(largest, row[j])
    return largest


# NaN is passed over, which vectorises, and shows in all that follows.
_largest = compiled(_max_of, fastmath=True)


@inner
def _longest(lengths, start, stop):
    longest = 0
    for sequence in range(start, stop):
        longest = max(longest, lengths[sequence])
    return longest


@inner
def _load_either(array, slot, length, column, size, rows, columns):
    """What `_scores` needs of a sequence."""
    if length > SHORT:
        load_transposed(array, slot, length, column, size, columns)
    else:
        load(array, slot, length, column, size, rows)


@inner
def _scores(rows, others, columns, first, seen, length, depth, out):
    """out = rows others^T: of the rows first .. seen - 1 with the others up to themselves."""
    if length > SHORT:
        products(rows, columns, seen, depth, out)
        return
    for i in range(seen - first):
        row, line = rows[i], out[i]
        for j in range(first + i + 1):
            other = others[j]
            product = ZERO
            for d in range(len(row)):
                product += row[d] * other[d]
            line[j] = product


@inner
def _softmax(score, count):
    """Of the first `count` scores, in place."""
    largest = _largest(score, count)
    total = ZERO
    for j in range(count):
        power = power_of(score[j] - largest)
        score[j] = power
        total += power
    share = ONE / total
    for j in range(count):
        score[j] *= share


@inner
def _drop_weights(score, unit, threshold, scale, kept):
    """Keep what the gradient needs of softmax's weights, and drop some of them in place."""
    factor, limit = score.dtype.type(scale), unit.dtype.type(threshold)
    for j in range(len(unit)):
        weight = score[j]
        keep = unit[j] >= limit
        kept[j] = weight if keep else -weight
        score[j] = weight * factor if keep else ZERO


@inner
def attend(query, key, value, num_heads, spans, units, threshold, scale, output, weights,
           start, stop):  # fmt: skip
    """Fill output [T, D] and, if it is not empty, `weights`, from query, key and value [T, D].

    Args:
        spans: of all sequences; start .. stop - 1 are gone through.
        units: a weight is dropped where its own is under the threshold; without units none is.
    """
    kind, size = query.dtype, query.shape[1] // num_heads
    width, depth = padded(size, VECTOR), padded(size, ROWS)
    space = padded(_longest(spans.lengths, start, stop) + ROWS, VECTOR)
    keys, keys_transposed = np.zeros((SHORT, width), kind), np.zeros((width, space), kind)
    values, scores = np.zeros((space, width), kind), np.zeros((ROWS, space), kind)
    queries, outputs = np.zeros((ROWS, width), kind), np.zeros((ROWS, width), kind)
    for sequence in range(start, stop):
        slot, length = spans.starts[sequence], spans.lengths[sequence]
        for head in range(num_heads):
            column = head * size
            triangle = spans.triangles[sequence] * num_heads + head * (length * (length + 1) // 2)
            _load_either(key, slot, length, column, size, keys, keys_transposed)
            load(value, slot, length, column, size, values)
            for first in range(0, length, ROWS):
                seen = min(first + ROWS, length)
                load(query, slot + first, seen - first, column, size, queries)
                _scores(queries, keys, keys_transposed, first, seen, length, depth, scores)
                for row in range(first, seen):
                    score = scores[row - first]
                    _softmax(score, row + 1)
                    at = triangle + row * (row + 1) // 2
                    if len(units):
                        unit, kept = units[at : at + row + 1], weights[at : at + row + 1]
                        _drop_weights(score, unit, threshold, scale, kept)
                    elif len(weights):
                        kept = weights[at : at + row + 1]
                        for j in range(row + 1):
                            kept[j] = score[j]
                    for j in range(row + 1, first + ROWS):
                        score[j] = ZERO
                products(scores, values, width, padded(seen, ROWS), outputs)
                store(outputs, seen - first, size, output, slot + first, column)


@inner
def _scores_backward(grad_score, weight, scale, dropped):
    """From the gradient of dropped weights to that of scores, in place; and the dropped weights."""
    factor = grad_score.dtype.type(scale)
    total = ZERO
    for j in range(len(weight)):
        dropped[j] = max(weight[j], ZERO) * factor
        total += dropped[j] * grad_score[j]
    for j in range(len(weight)):
        grad_score[j] = dropped[j] * grad_score[j] - abs(weight[j]) * total


@inner
def attend_backward(query, key, value, num_heads, spans, weights, scale, gradient, grad_query,
                    grad_key, grad_value, start, stop):  # fmt: skip
    """Fill grad_query, grad_key and grad_value [T, D] from the gradient [T, D] of the output."""
    kind, size = query.dtype, query.shape[1] // num_heads
    width, depth = padded(size, VECTOR), padded(size, ROWS)
    space = padded(_longest(spans.lengths, start, stop) + ROWS, VECTOR)
    values, values_transposed = np.zeros((SHORT, width), kind), np.zeros((width, space), kind)
    keys = np.zeros((space, width), kind)
    grad_keys, grad_values = np.zeros((space, width), kind), np.zeros((space, width), kind)
    queries, grad_queries = np.zeros((ROWS, width), kind), np.zeros((ROWS, width), kind)
    gradients = np.zeros((ROWS, width), kind)
    grad_scores, dropped = np.zeros((ROWS, space), kind), np.zeros((ROWS, space), kind)
    for sequence in range(start, stop):
        slot, length = spans.starts[sequence], spans.lengths[sequence]
        for head in range(num_heads):
            column = head * size
            triangle = spans.triangles[sequence] * num_heads + head * (length * (length + 1) // 2)
            _load_either(value, slot, length, column, size, values, values_transposed)
            load(key, slot, length, column, size, keys)
            clear(grad_keys, 0, length)
            clear(grad_values, 0, length)
            for first in range(0, length, ROWS):
                seen, whole = min(first + ROWS, length), first + ROWS
                load(query, slot + first, seen - first, column, size, queries)
                load(gradient, slot + first, seen - first, column, size, gradients)
                _scores(gradients, values, values_transposed, first, seen, length, depth,
                        grad_scores)  # fmt: skip
                for row in range(first, whole):
                    grad_score, drop = grad_scores[row - first], dropped[row - first]
                    count = row + 1 if row < seen else 0
                    at = triangle + row * (row + 1) // 2
                    _scores_backward(grad_score, weights[at : at + count], scale, drop)
                    for j in range(count, whole):
                        grad_score[j] = drop[j] = ZERO
                products(grad_scores, keys, width, whole, grad_queries)
                store(grad_queries, seen - first, size, grad_query, slot + first, column)
                for j in range(0, whole, ROWS):
                    add_transposed_products(grad_scores, j, queries, width, ROWS, grad_keys)
                    add_transposed_products(dropped, j, gradients, width, ROWS, grad_values)
            store(grad_keys, length, size, grad_key, slot, column)
            store(grad_values, length, size, grad_value, slot, column)
