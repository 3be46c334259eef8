"""Rows of embeddings looked up, scored and learnt from, as compiled loops for one hidden size.

Shapes: T slots, D hidden size, N items, n positions, C candidates a slot. Ids are int64.

Gradients of rows are added up in the order of the slots: a part of that work goes through all
slots and adds to the rows whose ids leave its number when divided by that of parts. So no two parts
add to one row, and their number changes nothing. An id outside its embedding raises IndexError.
"""

import math

import numpy as np

from sasrec.kernels.parts import inlined, kernel

SIZE = globals()["SIZE"]  # D, by kernels.specialised
ZERO, ONE = np.float32(0), np.float32(1)


@inlined
def _check(id_, rows):
    if id_ < 0 or id_ >= rows:
        raise IndexError("index out of range: an id lies outside its embedding")


@kernel
def embed(items, positions, item_embedding, position_embedding, factor, units, threshold, scale,
          out, part, start, stop):  # fmt: skip
    """Slots of out [T, D] = dropout(factor item + position).

    Without positions `position_embedding` has no rows; without dropout `units` are empty.
    """
    limit = units.dtype.type(threshold)
    for t in range(start, stop):
        _check(items[t], len(item_embedding))
        item, row = item_embedding[items[t]], out[t]
        for d in range(SIZE):
            row[d] = item[d] * factor
        if len(position_embedding):
            _check(positions[t], len(position_embedding))
            position = position_embedding[positions[t]]
            for d in range(SIZE):
                row[d] += position[d]
        if len(units):
            unit = units[t * SIZE : (t + 1) * SIZE]
            for d in range(SIZE):
                scaled = row[d] * scale
                row[d] = scaled if unit[d] >= limit else ZERO


@kernel
def add(ids, rows, factor, sums, parts, part, start, stop):
    """Add factor times `rows` [M, D] to the rows `ids` [M] of `sums` that are this part's."""
    for i in range(len(ids)):
        _check(ids[i], len(sums))
        if ids[i] % parts == part:
            row, total = rows[i], sums[ids[i]]
            for d in range(SIZE):
                total[d] += row[d] * factor


@kernel
def score(states, embedding, candidates, real, losses, slopes, part, start, stop):
    """Losses [T] of slots, and slopes [T, C], their derivatives by the scores; 0 where not real.

    The first of a slot's candidates [T, C] is its target, the others are negatives.
    """
    for t in range(start, stop):
        losses[t] = ZERO
        state = states[t]
        for c in range(candidates.shape[1]):
            slopes[t, c] = ZERO
            if real[t]:
                _check(candidates[t, c], len(embedding))
                row = embedding[candidates[t, c]]
                score = ZERO
                for d in range(SIZE):
                    score += state[d] * row[d]
                sign = -ONE if c == 0 else ONE
                score *= sign
                # softplus(s) and its derivative, by e^-|s|, which does not overflow.
                power = math.exp(-abs(score))
                losses[t] += max(score, ZERO) + math.log1p(power)
                slopes[t, c] = sign * (power if score < ZERO else ONE) / (ONE + power)


@kernel
def score_backward(embedding, candidates, slopes, factor, of_states, part, start, stop):
    """of_states [T, D], from what `score` found, times `factor`."""
    for t in range(start, stop):
        of_state = of_states[t]
        for d in range(SIZE):
            of_state[d] = ZERO
        for c in range(candidates.shape[1]):
            slope = slopes[t, c] * factor
            if slope != ZERO:
                row = embedding[candidates[t, c]]
                for d in range(SIZE):
                    of_state[d] += slope * row[d]


@kernel
def add_scored(states, candidates, slopes, factor, of_embedding, parts, part, start, stop):
    """Add to of_embedding [N + 1, D], times `factor`, those of its rows that are this part's."""
    for t in range(len(states)):
        state = states[t]
        for c in range(candidates.shape[1]):
            slope = slopes[t, c] * factor
            if slope != ZERO and candidates[t, c] % parts == part:
                total = of_embedding[candidates[t, c]]
                for d in range(SIZE):
                    total[d] += slope * state[d]
