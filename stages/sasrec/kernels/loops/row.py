"""Rows of embeddings looked up, scored and learnt from.

Shapes: T slots, D hidden size, N items, n positions, C candidates a slot. Ids are int64.

Gradients of rows are added up in the order of the slots: a part of that work goes through all
slots and adds to the rows whose ids leave its number when divided by that of parts. So no two parts
add to one row, and their number changes nothing. An id outside its embedding raises IndexError.
"""

import math

import numpy as np

from sasrec.kernels.parts import compiled, inner

ZERO, ONE = np.float32(0), np.float32(1)


@inner
def _check(id_, rows):
    if id_ < 0 or id_ >= rows:
        raise IndexError("index out of range: an id lies outside its embedding")


@compiled
def embed(items, positions, item_embedding, position_embedding, factor, out, part, start, stop):
    """Slots of out [T, D] = factor item + position.

    Without positions `position_embedding` has no rows.
    """
    size, kind = out.shape[1], out.dtype.type
    for t in range(start, stop):
        _check(items[t], len(item_embedding))
        item, row = item_embedding[items[t]], out[t]
        for d in range(size):
            row[d] = item[d] * kind(factor)
        if len(position_embedding):
            _check(positions[t], len(position_embedding))
            position = position_embedding[positions[t]]
            for d in range(size):
                row[d] += position[d]


@compiled
def add(ids, rows, factor, sums, parts, part, start, stop):
    """Add factor times `rows` [M, D] to the rows `ids` [M] of `sums` that are this part's."""
    size, times = rows.shape[1], rows.dtype.type(factor)
    for i in range(len(ids)):
        _check(ids[i], len(sums))
        if ids[i] % parts == part:
            row, total = rows[i], sums[ids[i]]
            for d in range(size):
                total[d] += row[d] * times


@compiled
def score(states, embedding, candidates, real, positive_weight, losses, slopes, part, start, stop):
    """Losses [T] of slots, and slopes [T, C], their derivatives by the scores; 0 where not real.

    The first of a slot's candidates [T, C] is its target, the others are negatives:
    positive_weight softplus(-s) of the one, and the sum of softplus(s) of the others.
    """
    size, kind = states.shape[1], states.dtype.type
    for t in range(start, stop):
        losses[t] = ZERO
        state = states[t]
        for c in range(candidates.shape[1]):
            slopes[t, c] = ZERO
            if real[t]:
                _check(candidates[t, c], len(embedding))
                row = embedding[candidates[t, c]]
                score = ZERO
                for d in range(size):
                    score += state[d] * row[d]
                sign = -ONE if c == 0 else ONE
                weight = kind(positive_weight) if c == 0 else kind(1)
                score *= sign
                # softplus(s) and its derivative, by e^-|s|, which does not overflow.
                power = math.exp(-abs(score))
                losses[t] += weight * (max(score, ZERO) + math.log1p(power))
                slopes[t, c] = weight * sign * (power if score < ZERO else ONE) / (ONE + power)


@compiled
def softmax_score(states, embedding, candidates, real, log_odds, losses, slopes,
                  part, start, stop):  # fmt: skip
    """Sampled softmax: as `score`, with the `log_odds` [T, C - 1] of the negatives."""
    count, size = candidates.shape[1], states.shape[1]
    for t in range(start, stop):
        losses[t] = ZERO
        state, slope = states[t], slopes[t]
        if not real[t]:
            slope[:] = ZERO
            continue
        for c in range(count):
            _check(candidates[t, c], len(embedding))
            row = embedding[candidates[t, c]]
            score = ZERO
            for d in range(size):
                score += state[d] * row[d]
            slope[c] = score if c == 0 else score - log_odds[t, c - 1]
        largest, target, total = slope.max(), slope[0], ZERO
        for c in range(count):
            slope[c] = math.exp(slope[c] - largest)
            total += slope[c]
        losses[t] = math.log(total) + largest - target
        for c in range(count):
            slope[c] /= total
        slope[0] -= ONE


@compiled
def score_backward(embedding, candidates, slopes, factor, grad_states, part, start, stop):
    """grad_states [T, D], from what `score` found, times `factor`."""
    size, times = grad_states.shape[1], slopes.dtype.type(factor)
    for t in range(start, stop):
        grad_state = grad_states[t]
        for d in range(size):
            grad_state[d] = ZERO
        for c in range(candidates.shape[1]):
            slope = slopes[t, c] * times
            if slope != ZERO:
                row = embedding[candidates[t, c]]
                for d in range(size):
                    grad_state[d] += slope * row[d]


@compiled
def add_scored(states, candidates, slopes, factor, grad_embedding, parts, part, start, stop):
    """Add to grad_embedding [N + 1, D], times `factor`, those of its rows that are this part's."""
    size, times = states.shape[1], slopes.dtype.type(factor)
    for t in range(len(states)):
        state = states[t]
        for c in range(candidates.shape[1]):
            slope = slopes[t, c] * times
            if slope != ZERO and candidates[t, c] % parts == part:
                total = grad_embedding[candidates[t, c]]
                for d in range(size):
                    total[d] += slope * state[d]
