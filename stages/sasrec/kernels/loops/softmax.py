"""Scores of all items, row by row: their softmax and what a loss makes of it.

Shapes: T slots, N items.
"""

import math

import numpy as np

from sasrec.kernels.loops.exponential import power_of
from sasrec.kernels.parts import compiled

ZERO, ONE = np.float32(0), np.float32(1)


@compiled
def cross_entropy(scores, targets, share, losses, part, start, stop):
    """The losses [T] of `scores` [T, N], which become their derivatives by them.

    A loss is the logarithm of the sum of e^s, less `share` times the target's s; 0 where there is
    no target (0 in `targets`, int64 [T]; items count from 1).
    """
    count, part_of_target = scores.shape[1], scores.dtype.type(share)
    for t in range(start, stop):
        row, losses[t] = scores[t], ZERO
        if not targets[t]:
            row[:] = ZERO
            continue
        largest, total = row[0], ZERO
        for i in range(count):
            largest = max(largest, row[i])
        target = row[targets[t] - 1]
        for i in range(count):
            row[i] = power_of(row[i] - largest)
            total += row[i]
        losses[t] = math.log(total) + largest - part_of_target * target
        factor = ONE / total
        for i in range(count):
            row[i] *= factor
        row[targets[t] - 1] -= part_of_target
