"""Adam for the rows of an embedding that a step reads; see deferred_adam.py.

Shapes: N rows, D hidden size, U rows that a step reads.
"""

import numpy as np

from sasrec.kernels.parts import compiled


@compiled
def distinct(ids, met_in, step, found):
    """Each of `ids` (int64 [M]) once, in the order of first places, into `found`; returns how many.

    Args:
        met_in: int64 [N], the step in which each id was met last: not `step` at the start.
    """
    count = 0
    for i in range(len(ids)):
        if met_in[ids[i]] != step:
            met_in[ids[i]] = step
            found[count] = ids[i]
            count += 1
    return count


@compiled
def move(ids, step_of, now, sums, powers, bases, rate, epsilon, weights, means, squares,
         part, start, stop):  # fmt: skip
    """Move rows `ids` [U] without gradients from their steps, step_of [N], to the step `now`.

    Args:
        sums: [2, settled + 1]; powers: [4, settled + 1], those of the `bases` [4]: the ratios of
            both sums, beta1, beta2.
        weights, means, squares: [N, D].
    """
    kind = weights.dtype.type
    settled = sums.shape[1] - 1
    power = np.empty(4)
    for i in range(start, stop):
        id_ = ids[i]
        before = step_of[id_]
        missed = now - before
        if missed == 0:
            continue
        step_of[id_] = now
        for k in range(4):
            power[k] = powers[k, missed] if missed <= settled else bases[k] ** missed
        first, last = min(before, settled), min(now, settled)
        way = sums[0, first] - power[0] * sums[0, last]
        epsilon_way = sums[1, first] - power[1] * sums[1, last]
        # After very long there is no way to go, and 0 / 0 would be no number.
        added = kind(epsilon * epsilon_way / way if way > 0 else 1.0)
        length, of_mean, of_square = kind(rate * way), kind(power[2]), kind(power[3])
        weight, mean, square = weights[id_], means[id_], squares[id_]
        for d in range(len(weight)):
            weight[d] -= length * mean[d] / (np.sqrt(square[d]) + added)
            mean[d] *= of_mean
            square[d] *= of_square


@compiled
def step(ids, step_of, now, rate, beta1, beta2, epsilon, weights, means, squares, gradients,
         part, start, stop):  # fmt: skip
    """Adam's step `now` of rows `ids` [U] of weights, means, squares, gradients [N, D].

    Their gradients become 0.
    """
    kind = weights.dtype.type
    length = kind(rate / (1 - beta1**now))
    unbias = kind(1 / np.sqrt(1 - beta2**now))
    added = kind(epsilon)
    kept1, kept2, new1, new2 = kind(beta1), kind(beta2), kind(1 - beta1), kind(1 - beta2)
    for i in range(start, stop):
        id_ = ids[i]
        step_of[id_] = now
        weight, mean, square, gradient = weights[id_], means[id_], squares[id_], gradients[id_]
        for d in range(len(weight)):
            value = gradient[d]
            gradient[d] = kind(0)
            mean[d] = kept1 * mean[d] + new1 * value
            square[d] = kept2 * square[d] + new2 * value * value
            weight[d] -= length * mean[d] / (np.sqrt(square[d]) * unbias + added)
