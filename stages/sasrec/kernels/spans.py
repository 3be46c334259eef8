"""The sequences of a batch as compiled loops want them, and how threads share them.

Shapes: B sequences.
"""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from sasrec.batching.layout import Layout
from sasrec.kernels.parts import parts_of

# Of a block, in nanoseconds, measured with D = 50: to share it out between threads.
POSITION_COST, PAIR_COST = 700, 8

_found: WeakKeyDictionary[Layout, "Spans"] = WeakKeyDictionary()  # ranking asks block by block


class Spans(NamedTuple):
    """int64 [B] each.

    Attributes:
        starts: the first slot of each sequence.
        lengths: its positions.
        triangles: how many pairs of a position and one not later are in those before it.
        pairs: how many there are in all.
        edges: of parts of like cost, from 0 to B.
    """

    starts: np.ndarray
    lengths: np.ndarray
    triangles: np.ndarray
    pairs: int
    edges: np.ndarray


def spans_of(layout: Layout) -> Spans:
    """The spans of a layout on the CPU."""
    if layout not in _found:
        lengths = layout.lengths.numpy()
        triangles = lengths * (lengths + 1) // 2
        ends = triangles.cumsum()
        edges = np.array(parts_of(POSITION_COST * lengths + PAIR_COST * triangles))
        starts = layout.last_slots.numpy() + 1 - lengths
        _found[layout] = Spans(starts, lengths, ends - triangles, int(ends[-1]), edges)
    return _found[layout]
