"""Where the positions of a batch lie: packed into rows without padding, or a row a sequence.

Shapes: B sequences, T slots, R rows of a group, W their width.

Padding costs as much as a real position, and most positions of a padded batch are padding. So
sequences share rows: the slots of a batch are a few groups of rows [R, W], laid end to end
along one axis of T slots, and a row holds as many whole sequences as fit. Every position-wise
layer works on all T slots at once, attention on the rows of a group (attention.py), behind a mask
that keeps the sequences of a row apart.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# Costs in units of one slot's position-wise work, measured on two cores with D = 50.
SQUARE = 0.005  # a pair of positions in attention
GROUP = 150  # the calls that a group takes
MASK = 0.001  # a pair of positions behind a mask of its own row


class Group(NamedTuple):
    """A dense block of slots: `rows` of `width`, each of at most `most` sequences."""

    rows: int
    width: int
    most: int

    @property
    def slots(self) -> int:
        return self.rows * self.width


@dataclass(frozen=True)
class Layout:
    """Where the positions of B sequences lie in T slots; a sequence's own are side by side.

    Attributes:
        groups: the dense blocks; their slots add up to T.
        lengths: int64 [B], the positions of each sequence.
        last_slots: int64 [B], the slot of each one's latest position.
        sequences: int64 [T], whose position a slot is; any sequence at padding.
        positions: int64 [T], how many positions of its sequence come after it, 0 for the latest
            and at padding. Counted from the end, so that no layout moves a real position.
        real: bool [T], False at padding.
    """

    groups: tuple[Group, ...]
    lengths: Tensor
    last_slots: Tensor
    sequences: Tensor
    positions: Tensor
    real: Tensor

    @cached_property
    def owners(self) -> tuple[Tensor, ...]:
        """For each group int32 [R, W]: the sequence of each slot, -1 at padding."""
        marked = torch.where(self.real, self.sequences, -1).to(torch.int32)
        parts = marked.split([group.slots for group in self.groups])
        return tuple(
            part.view(group.rows, group.width)
            for part, group in zip(parts, self.groups, strict=True)
        )

    @cached_property
    def masks(self) -> tuple[Tensor, ...]:
        """For each group what is added to scores: 0 where a query (row) sees a key, else -inf.

        float32 [R, W, W], or [W, W] where no row is shared: the causal mask alone keeps a
        sequence at the left of its row from seeing the padding after it.
        """
        masks = []
        for group, owner in zip(self.groups, self.owners, strict=True):
            future = torch.full((group.width, group.width), -math.inf, device=owner.device).triu_(1)
            if group.most > 1:
                others = owner[:, :, None] != owner[:, None, :]
                future = torch.where(others, -math.inf, future)
            masks.append(future)
        return tuple(masks)


class Packing(NamedTuple):
    """Sequences packed into rows.

    Attributes:
        groups: the dense blocks.
        order: int64 [B], the sequences as they follow each other in the slots.
        starts: int64 [B], the first slot of each, in that order: rising.
    """

    groups: tuple[Group, ...]
    order: np.ndarray
    starts: np.ndarray


def pack(lengths: np.ndarray) -> Packing:
    """Pack sequences of `lengths` (int64 [B], at least 1) into a few groups of rows."""
    by_length = np.argsort(-lengths, kind="stable")
    falling = lengths[by_length]
    cut = _cheapest_cut(falling)
    groups, order, starts, slot = [], [], [], 0
    for first, last in ((0, cut), (cut, len(falling))):
        if first < last:
            rows = _fill_rows(falling[first:last].tolist())
            width = int(falling[first])
            for row in rows:
                order += [first + index for index in row.indices]
                starts += [slot + place for place in row.places]
                slot += width
            groups += _group_rows([len(row.indices) for row in rows], width)
    return Packing(tuple(groups), by_length[order], np.array(starts))


def _group_rows(counts: list[int], width: int) -> list[Group]:
    """Rows with these numbers of sequences, as one group; two, if that saves more than it costs.

    The first rows often hold one long sequence each, and a group of such needs no masks.
    """
    alone = next((row for row, count in enumerate(counts) if count > 1), len(counts))
    if 0 < alone < len(counts) and alone * width**2 * MASK > GROUP:
        return [Group(alone, width, 1), Group(len(counts) - alone, width, max(counts))]
    return [Group(len(counts), width, max(counts))]


def _cheapest_cut(lengths: np.ndarray) -> int:
    """How many of the longest sequences get rows of their own width; 0: all are one group.

    A group of rows of width W costs rows (W + SQUARE W^2) + GROUP. It has as many rows as the
    positions fill, or as there are sequences too long to share one.
    """
    total = np.cumsum(lengths)
    before = total - lengths
    long = np.searchsorted(-lengths, -lengths / 2) - np.arange(len(lengths))  # in the rest
    rest_rows = np.maximum(long, -(-(total[-1] - before) // lengths))
    first_rows = np.maximum(np.minimum(np.arange(len(lengths)), long[0]), -(-before // lengths[0]))
    width_cost = lengths * (1 + SQUARE * lengths)
    costs = first_rows * width_cost[0] + rest_rows * width_cost + GROUP
    costs[0] -= GROUP
    return int(costs.argmin())


class Row(NamedTuple):
    """The sequences of one row, by index, and where in the row each begins."""

    indices: list[int]
    places: list[int]


def _fill_rows(lengths: list[int]) -> list[Row]:
    """Put sequences (from long to short) into rows as wide as the longest.

    A row takes the longest sequence left that fits, again and again (first-fit decreasing).
    """
    width = lengths[0]
    left, indices = lengths[::-1], list(range(len(lengths)))[::-1]
    rows = []
    while left:
        row, used = Row([], []), 0
        while fitting := bisect_right(left, width - used):
            row.indices.append(indices.pop(fitting - 1))
            row.places.append(used)
            used += left.pop(fitting - 1)
        rows.append(row)
    return rows


def lay_out(lengths: np.ndarray, packing: Packing) -> Layout:
    """The layout of packed sequences, on the CPU; `lengths` int64 [B] in the packing's order."""
    slots = slots_of(lengths, packing.starts)
    total = sum(group.slots for group in packing.groups)
    sequences, positions, real = (np.zeros(total, kind) for kind in (np.int64, np.int64, np.bool))
    sequences[slots] = np.repeat(np.arange(len(lengths)), lengths)
    ends = np.cumsum(lengths)
    positions[slots] = np.repeat(ends, lengths) - 1 - np.arange(len(slots))
    real[slots] = True
    last = packing.starts + lengths - 1
    arrays = (lengths, last, sequences, positions, real)
    return Layout(packing.groups, *(torch.from_numpy(array) for array in arrays))


def slots_of(lengths: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """int64 [sum of lengths]: starts[0], starts[0] + 1, ..., then from starts[1], and so on."""
    ends = np.cumsum(lengths)
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(ends[-1])


def lay_out_dense(lengths: Tensor, width: int) -> Layout:
    """A row of `width` a sequence, on the device of `lengths` (int64 [B]), without a wait for it.

    The shapes depend on B and `width` alone.
    """
    count, device = len(lengths), lengths.device
    sequences = torch.arange(count, device=device).repeat_interleave(width)
    columns = torch.arange(width, device=device).repeat(count)
    positions = lengths[sequences] - 1 - columns
    last = torch.arange(count, device=device) * width + lengths - 1
    group = Group(count, width, most=1)
    return Layout((group,), lengths, last, sequences, positions.clamp(min=0), positions >= 0)
