"""Where the positions of a batch lie along one axis of slots.

Shapes: B sequences, T slots, L positions of a sequence, W the width of a row.

Padding costs as much as a real position, and most positions of a batch padded to its longest
sequence are padding. Three layouts hold the same sequences:

    packed    one after the other, without padding
    grouped   sequences of like length in a group, a row each, as wide as the group's longest
    fixed     a row each of one given width: shapes that do not depend on the data

Layers that look at one position alone work on all slots at once in each of them. Attention works
on rows: those of grouped and fixed layouts are views, those of packed ones are copied.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

Kind = Literal["packed", "grouped", "fixed"]
GROUPS = 8  # of a batch: more of them are less padding and more calls


class Rows(NamedTuple):
    """Some sequences with a row each; their slots are side by side."""

    count: int
    width: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the positions of B sequences lie in T slots; a sequence's own are side by side.

    Attributes:
        kind: which of the three it is.
        groups: how slots are cut into rows; None where they are packed.
        lengths: int64 [B], the positions of each sequence.
        last_slots: int64 [B], the slot of each one's latest position.
        sequences: int64 [T], whose position a slot is.
        positions: int64 [T], how many positions of its sequence come after it, 0 for the latest
            and at padding. Counted from the end, so that no layout moves a real position.
        real: bool [T], False at padding.
    """

    kind: Kind
    groups: tuple[Rows, ...] | None
    lengths: Tensor
    last_slots: Tensor
    sequences: Tensor
    positions: Tensor
    real: Tensor

    def to_rows(self, x: Tensor) -> list[Tensor]:
        """[T, ...] as [B', W, ...] for each group; what follows a sequence in its row is arbitrary.

        Packed sequences are one group.
        """
        if self.groups is None:
            places, width = self._places
            rows = x.new_zeros(len(self.lengths) * width, *x.shape[1:]).index_copy(0, places, x)
            return [rows.unflatten(0, (len(self.lengths), width))]
        parts = x.split([rows.count * rows.width for rows in self.groups])
        return [part.unflatten(0, rows) for part, rows in zip(parts, self.groups, strict=True)]

    def from_rows(self, rows: list[Tensor]) -> Tensor:
        """[T, ...] of what `to_rows` gave."""
        flat = torch.cat([part.flatten(0, 1) for part in rows])
        return flat if self.groups is not None else flat[self._places[0]]

    @cached_property
    def _places(self) -> tuple[Tensor, int]:
        """Each packed slot's place in rows as wide as the longest sequence, and that width."""
        width = int(self.lengths.max())
        first = self.last_slots + 1 - self.lengths
        slots = torch.arange(len(self.real), device=self.real.device)
        starts = torch.arange(len(first), device=first.device) * width
        return slots + (starts - first)[self.sequences], width


def lay_out_packed(lengths: np.ndarray) -> Layout:
    """Sequences of `lengths` (int64 [B], at least 1), on the CPU."""
    ends = lengths.cumsum()
    sequences = np.repeat(np.arange(len(lengths)), lengths)
    positions = ends[sequences] - 1 - np.arange(ends[-1])
    arrays = (lengths, ends - 1, sequences, positions, np.ones(ends[-1], np.bool))
    return Layout("packed", None, *(torch.from_numpy(array) for array in arrays))


def lay_out_grouped(lengths: np.ndarray) -> Layout:
    """Sequences of `lengths` (int64 [B], at least 1, in falling order), on the CPU."""
    assert (np.diff(lengths) <= 0).all(), lengths
    parts = [part for part in np.array_split(lengths, GROUPS) if len(part)]
    groups = tuple(Rows(len(part), int(part[0])) for part in parts)
    widths = np.repeat([rows.width for rows in groups], [rows.count for rows in groups])
    return _rows("grouped", groups, torch.from_numpy(lengths), torch.from_numpy(widths))


def lay_out_fixed(lengths: Tensor, width: int) -> Layout:
    """A row of `width` a sequence, on the device of `lengths` (int64 [B]), without a wait for it.

    The shapes depend on B and `width` alone.
    """
    return _rows("fixed", (Rows(len(lengths), width),), lengths, width)


def _rows(kind: Kind, groups: tuple[Rows, ...], lengths: Tensor, widths: Tensor | int) -> Layout:
    """Rows one after the other, each as wide as `widths` say (int64 [B], or one for all)."""
    slots, device = sum(rows.count * rows.width for rows in groups), lengths.device
    count = len(lengths)
    if isinstance(widths, int):
        starts = torch.arange(count, device=device) * widths
        sequences = torch.arange(count, device=device).repeat_interleave(widths, output_size=slots)
    else:
        starts = widths.cumsum(0) - widths
        sequences = torch.arange(count).repeat_interleave(widths)
    last = starts + lengths - 1
    positions = last[sequences] - torch.arange(slots, device=device)
    return Layout(kind, groups, lengths, last, sequences, positions.clamp(min=0), positions >= 0)
