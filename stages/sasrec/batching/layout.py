"""Where the positions of a batch lie: end to end without padding, or a row a sequence.

Shapes: B sequences, T slots, L positions of a sequence, W the width of a row.

Padding costs as much as a real position, and most positions of a padded batch are padding. So the
sequences of a batch lie end to end along one axis of T slots: every position-wise layer works on
all slots at once, attention on each sequence alone. Where shapes have to be fixed, each sequence
has a row of its own instead.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.kernels.parts import parts_of

# Of a block, in nanoseconds, measured with D = 50: to share it out between threads.
POSITION_COST, PAIR_COST = 700, 8


class Spans(NamedTuple):
    """The sequences of a batch as kernels want them, int64 [B] each.

    Attributes:
        starts: the first slot of each.
        lengths: its positions.
        triangles: how many pairs of a position and one not later are in those before it.
        edges: of parts of like cost, from 0 to B.
    """

    starts: np.ndarray
    lengths: np.ndarray
    triangles: np.ndarray
    pairs: int
    edges: np.ndarray


@dataclass(frozen=True)
class Layout:
    """Where the positions of B sequences lie in T slots; a sequence's own are side by side.

    Attributes:
        width: of a row, where each sequence has one; None where they lie end to end.
        lengths: int64 [B], the positions of each sequence.
        last_slots: int64 [B], the slot of each one's latest position.
        sequences: int64 [T], whose position a slot is.
        positions: int64 [T], how many positions of its sequence come after it, 0 for the latest
            and at padding. Counted from the end, so that no layout moves a real position.
        real: bool [T], False at padding.
    """

    width: int | None
    lengths: Tensor
    last_slots: Tensor
    sequences: Tensor
    positions: Tensor
    real: Tensor

    @cached_property
    def spans(self) -> Spans:
        """On the CPU."""
        lengths = self.lengths.numpy()
        triangles = lengths * (lengths + 1) // 2
        ends = triangles.cumsum()
        edges = parts_of(POSITION_COST * lengths + PAIR_COST * triangles)
        starts = self.last_slots.numpy() + 1 - lengths
        return Spans(starts, lengths, ends - triangles, int(ends[-1]), edges)

    @cached_property
    def _places(self) -> tuple[Tensor, int]:
        """Each slot's place in rows as wide as the longest sequence (int64 [T]), and that width."""
        width = int(self.lengths.max())
        first = self.last_slots + 1 - self.lengths
        slots = torch.arange(len(self.real), device=self.real.device)
        return slots + (torch.arange(len(first)) * width - first)[self.sequences], width

    def to_rows(self, x: Tensor) -> Tensor:
        """[T, D] as [B, W, D], a row a sequence; what follows it in its row is arbitrary."""
        count = len(self.lengths)
        if self.width is not None:
            return x.view(count, self.width, -1)
        places, width = self._places
        return (
            x.new_zeros(count * width, x.shape[1]).index_copy(0, places, x).view(count, width, -1)
        )

    def from_rows(self, rows: Tensor) -> Tensor:
        """[T, D] of [B, W, D]: what `to_rows` made."""
        if self.width is not None:
            return rows.reshape(-1, rows.shape[2])
        return rows.flatten(0, 1)[self._places[0]]


def lay_out(lengths: np.ndarray) -> Layout:
    """Sequences of `lengths` (int64 [B], at least 1) end to end, on the CPU."""
    ends = lengths.cumsum()
    sequences = np.repeat(np.arange(len(lengths)), lengths)
    positions = ends[sequences] - 1 - np.arange(ends[-1])
    arrays = (lengths, ends - 1, sequences, positions, np.ones(ends[-1], np.bool))
    return Layout(None, *(torch.from_numpy(array) for array in arrays))


def lay_out_dense(lengths: Tensor, width: int) -> Layout:
    """A row of `width` a sequence, on the device of `lengths` (int64 [B]), without a wait for it.

    The shapes depend on B and `width` alone.
    """
    count, device = len(lengths), lengths.device
    sequences = torch.arange(count, device=device).repeat_interleave(width)
    columns = torch.arange(width, device=device).repeat(count)
    positions = lengths[sequences] - 1 - columns
    last = torch.arange(count, device=device) * width + lengths - 1
    return Layout(width, lengths, last, sequences, positions.clamp(min=0), positions >= 0)
