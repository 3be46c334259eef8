"""The blocks of a model one after another, and their gradients, over whole sequences.

Shapes: N blocks, T slots, D hidden size. Arrays of all blocks have those of one (block.py) side by
side: [N, ...].

A part of a batch goes through all of them at once: threads are handed work once, not once a block.
"""

from typing import NamedTuple

import numpy as np

from sasrec.kernels.loops import block
from sasrec.kernels.loops.block import Drops, Kept, Weights
from sasrec.kernels.parts import compiled, inner


class Drawn(NamedTuple):
    """Random numbers of what all blocks may drop.

    Attributes:
        units: [N, ...], a block's in a row: of the attention's weights, hidden, result; or empty
            without dropout.
    """

    units: np.ndarray
    threshold: int
    scale: float


@inner
def _weights(weights, number):
    return Weights(weights.matrices[number], weights.vectors[number])


@inner
def _drops(drawn, number, size):
    """A block's, of which [T, D] has `size` entries."""
    units = drawn.units[number]
    pairs = max(0, len(units) - 2 * size)
    return Drops(units[:pairs], units[pairs : pairs + size], units[pairs + size :],
                 drawn.threshold, drawn.scale)  # fmt: skip


@inner
def _kept(kept, number):
    return Kept(kept.planes[number], kept.moments[number], kept.attention[number])


@compiled
def forward(x, weights, setting, spans, drawn, kept, between, out, part, start, stop):
    """Fill `kept`, between [N - 1, T, D] and out [T, D], from x [T, D]."""
    last = len(between)
    for number in range(last + 1):
        source = x if number == 0 else between[number - 1]
        target = out if number == last else between[number]
        block.forward(source, _weights(weights, number), setting, spans,
                      _drops(drawn, number, x.size), _kept(kept, number), target, part, start,
                      stop)  # fmt: skip


@compiled
def backward(gradient, x, weights, setting, spans, drawn, kept, between, scratch, grad_x, grads,
             part, start, stop):  # fmt: skip
    """Fill grad_x [T, D], and the part's `grads`, 0 before, from the gradient of `out`.

    Args:
        grads: [N, parts, ...], as `weights`.
    """
    last = len(between)
    for number in range(last, -1, -1):
        source = x if number == 0 else between[number - 1]
        above = gradient if number == last else grad_x  # a block reads it before it fills grad_x
        block.backward(above, source, _weights(weights, number), setting, spans,
                       _drops(drawn, number, x.size), _kept(kept, number), scratch, grad_x,
                       _weights(grads, number), part, start, stop)  # fmt: skip
