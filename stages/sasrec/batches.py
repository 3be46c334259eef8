"""Batches without padding: who shares a batch is random, how it is laid out is not.

Shapes: B rows (sequences of a batch), T slots, L length of a group.

Padding costs as much as a real position, and most positions of a padded batch are padding. So
the rows of a batch are sorted by length and laid end to end as groups of nearly equal length,
each a dense block [rows, L] whose sequences begin at the left. Every position-wise layer works
on all T slots at once, attention on each group (attention.py). Sorting inside a batch changes
nothing that is learnt; sorting users into batches by length does, so that is never done.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sasrec.attention import Group
from sasrec.sequences import Sequences

# Costs in units of one slot's position-wise work, measured on two cores with D = 50.
SQUARE = 0.006  # a pair of positions in attention
GROUP = 100  # the calls that a group takes


@dataclass(frozen=True)
class Layout:
    """Where the positions of B sequences lie in T slots.

    Attributes:
        groups: (rows, length) of each dense block; rows of all add up to B.
        rows: int64 [T], the row of each slot.
        columns: int64 [T], the index in its row, 0 for the oldest position.
        lengths: int64 [B], real positions of each row.
        real: bool [T], False at padding.
    """

    groups: tuple[Group, ...]
    rows: Tensor
    columns: Tensor
    lengths: Tensor
    real: Tensor

    @property
    def positions(self) -> Tensor:
        """int64 [T]: how many positions of the row come after it, 0 for the latest.

        Counted from the end, so that neither padding nor layout moves a real position.
        """
        return (self.lengths[self.rows] - 1 - self.columns).clamp_min_(0)

    @property
    def last_slots(self) -> Tensor:
        """int64 [B]: the slot of each row's latest position."""
        widths = torch.tensor([length for rows, length in self.groups for _ in range(rows)])
        starts = torch.cumsum(widths, 0) - widths
        return starts.to(self.lengths.device) + self.lengths - 1


@dataclass(frozen=True)
class Batch:
    """What the model reads.

    Attributes:
        items: int64 [T], 0 at padding.
        layout: where each sequence lies.
    """

    items: Tensor
    layout: Layout


@dataclass(frozen=True)
class TrainingBatch:
    """A batch with what it is to predict.

    Attributes:
        inputs: the items of each row but its last one.
        targets: int64 [T], the item that follows each slot's, 0 at padding.
        users: int64 [B], whose row it is.
    """

    inputs: Batch
    targets: Tensor
    users: Tensor


def group_by_length(lengths: np.ndarray) -> list[Group]:
    """Cut rows, sorted from long to short, into the groups that cost least in all.

    A group of R rows costs R (L + SQUARE L^2) + GROUP, in the cost of one slot, with L its longest
    row: the position-wise work, attention's, and calling the kernels. Found by dynamic programming
    over the distinct lengths.

    Args:
        lengths: int64 [B], falling, at least 1.
    """
    ends = np.append(np.flatnonzero(np.diff(lengths)) + 1, len(lengths))
    starts = np.concatenate([[0], ends[:-1]])
    longest = lengths[starts]
    slots = longest * (1 + SQUARE * longest)  # of a row in a group that begins here
    # cheapest[j]: the least that the rows before the j-th distinct length can cost.
    cheapest, begin = np.zeros(len(ends) + 1), np.zeros(len(ends), np.int64)
    for last, end in enumerate(ends):
        costs = cheapest[: last + 1] + (end - starts[: last + 1]) * slots[: last + 1] + GROUP
        begin[last] = costs.argmin()
        cheapest[last + 1] = costs[begin[last]]
    groups: list[Group] = []
    last = len(ends) - 1
    while last >= 0:
        first = int(begin[last])
        groups.append((int(ends[last] - starts[first]), int(longest[first])))
        last = first - 1
    return groups[::-1]


def lay_out(lengths: Tensor, groups: list[Group]) -> Layout:
    """Lay rows of `lengths` (int64 [B], at least 1) into `groups`, in order, on one device."""
    device = lengths.device
    if len(groups) == 1:  # one dense block: no data-dependent shape, so no wait for a GPU
        count, width = groups[0]
        rows = torch.arange(count, device=device).repeat_interleave(width)
        columns = torch.arange(width, device=device).repeat(count)
    else:
        widths = torch.cat([torch.full((count,), width) for count, width in groups]).to(device)
        ends = torch.cumsum(widths, 0)
        total = sum(count * width for count, width in groups)
        rows = torch.arange(len(lengths), device=device).repeat_interleave(
            widths, output_size=total
        )
        columns = torch.arange(total, device=device) - (ends - widths)[rows]
    return Layout(tuple(groups), rows, columns, lengths, columns < lengths[rows])


class SequenceReader:
    """Cuts batches out of sequences that lie in memory-mapped files or on a GPU.

    Args:
        sequences: what to read; on the CPU it stays memory-mapped.
        max_length: the most recent positions that are kept, n in the paper.
        device: where batches are wanted; to a device other than the CPU the sequences are
            copied once.
        dense: one block [B, max_length] for every batch instead of groups by length. Shapes
            are then fixed and no step waits for the host: what a GPU or a compiler wants.
    """

    def __init__(
        self, sequences: Sequences, max_length: int, device: torch.device, *, dense: bool
    ) -> None:
        assert max_length >= 1
        self.max_length = max_length
        self.device = device
        self.dense = dense
        self.sequences = sequences
        self.offsets = torch.from_numpy(np.array(sequences.offsets)).to(device)
        self.items = torch.from_numpy(sequences.items).to(device)
        self._lengths = sequences.lengths
        self._device_lengths = torch.from_numpy(self._lengths).to(device)

    def training_batch(self, users: np.ndarray) -> TrainingBatch:
        """The rows of `users` (int64 [B], at least two items each), each item beside its next."""
        users, layout, start = self._rows(users, reserve=1)
        slots = start[layout.rows] + layout.columns
        slots = torch.where(layout.real, slots, 0)
        items = torch.where(layout.real, self.items[slots].long(), 0)
        targets = torch.where(layout.real, self.items[slots + 1].long(), 0)
        return TrainingBatch(Batch(items, layout), targets, users)

    def histories(self, users: np.ndarray) -> tuple[Batch, Tensor]:
        """All of each user's items, at most `max_length`; with the users in the rows' order."""
        users, layout, start = self._rows(users, reserve=0)
        slots = torch.where(layout.real, start[layout.rows] + layout.columns, 0)
        return Batch(torch.where(layout.real, self.items[slots].long(), 0), layout), users

    def _rows(self, users: np.ndarray, reserve: int) -> tuple[Tensor, Layout, Tensor]:
        """Users, their layout, and the first item of each row [B]; from long to short if packed."""
        users = np.asarray(users, np.int64)
        lengths = np.minimum(self._lengths[users] - reserve, self.max_length)
        assert (lengths >= 1).all(), "a user without positions"
        groups = [(len(users), self.max_length)]
        if not self.dense:
            order = np.argsort(-lengths, kind="stable")
            users, groups = users[order], group_by_length(lengths[order])
        rows = torch.from_numpy(users).to(self.device, non_blocking=True)
        on_device = (self._device_lengths[rows] - reserve).clamp_(max=self.max_length)
        start = self.offsets[rows + 1] - on_device - reserve
        return rows, lay_out(on_device, groups), start


def epoch_batches(
    users: np.ndarray, batch_size: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """All `users` (int64 [U]) in random order, cut into batches; the last may be smaller."""
    order = generator.permutation(users)
    edges = [*range(0, len(order), batch_size), len(order)]
    return [order[start:stop] for start, stop in pairwise(edges)]
