"""Batches: users are batched at random; inside a batch, sequences are packed or padded.

Shapes: B sequences of a batch, T slots (see layout.py).

Sorting users into batches by length would save padding on a GPU, and make learning worse: a mean
over a batch of short histories gives each of their items many times the weight. So training never
does that (ranking does, where nothing is learnt); how the sequences of a batch are laid out changes
nothing that is learnt.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.layout import (
    Kind,
    Layout,
    lay_out_fixed,
    lay_out_grouped,
    lay_out_packed,
)
from sasrec.data.sequences import Sequences


@dataclass(frozen=True)
class Batch:
    """What the model reads.

    Attributes:
        items: int64 [T], 0 at padding.
        layout: where each sequence lies.
        columns: what else is known of each slot's interaction, [T] each, by the names of COLUMNS
            in data/sequences.py; only what was asked for.
    """

    items: Tensor
    layout: Layout
    columns: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingBatch:
    """A batch with what it is to predict.

    Attributes:
        inputs: the items of each sequence but its last one.
        targets: int64 [T], the item that follows each slot's, 0 at padding.
        users: int64 [B], whose sequence it is.
        target_columns: as `Batch.columns`, of the interactions that are to be predicted.
    """

    inputs: Batch
    targets: Tensor
    users: Tensor
    target_columns: Mapping[str, Tensor] = field(default_factory=dict)


class SequenceReader:
    """Cuts batches out of sequences that lie in memory-mapped files or on a GPU.

    Args:
        sequences: what to read; packed and grouped, it stays memory-mapped.
        max_length: the most recent positions that are kept, n in the paper.
        device: where batches are wanted.
        layout: how the sequences of a batch lie. With `fixed`, a row of `max_length` each, shapes
            are fixed, the sequences are copied to the device once, and no step waits for the host:
            what a GPU or a compiler wants. The others are made on the CPU.
    """

    def __init__(
        self, sequences: Sequences, max_length: int, device: torch.device, *, layout: Kind
    ) -> None:
        assert max_length >= 1
        assert layout == "fixed" or device.type == "cpu", f"{layout} batches are made on the CPU"
        self.max_length = max_length
        self.device = device
        self.layout = layout
        self.sequences = sequences
        self._lengths = sequences.lengths
        if layout == "fixed":
            self._offsets = torch.from_numpy(np.array(sequences.offsets)).to(device)
            self._items = torch.from_numpy(sequences.items).to(device)

    def training_batch(self, users: np.ndarray) -> TrainingBatch:
        """The sequences of `users` (int64 [B], at least two items each), each item and its next."""
        users, layout, (items, targets) = self._read(users, reserve=1)
        return TrainingBatch(Batch(items, layout), targets, users)

    def histories(self, users: np.ndarray) -> tuple[Batch, Tensor]:
        """All of each user's items, at most `max_length`; with the users in the layout's order."""
        users, layout, (items,) = self._read(users, reserve=0)
        return Batch(items, layout), users

    def _read(self, users: np.ndarray, reserve: int) -> tuple[Tensor, Layout, list[Tensor]]:
        """Users in the layout's order; items at the layout's slots, then those `reserve` later."""
        users = np.asarray(users, np.int64)
        lengths = np.minimum(self._lengths[users] - reserve, self.max_length)
        assert (lengths >= 1).all(), "a user without positions"
        read = self._read_fixed if self.layout == "fixed" else self._read_on_host
        return read(users, lengths, reserve)

    def _read_on_host(
        self, users: np.ndarray, lengths: np.ndarray, reserve: int
    ) -> tuple[Tensor, Layout, list[Tensor]]:
        if self.layout == "grouped":
            falling = np.argsort(-lengths, kind="stable")
            users, lengths = users[falling], lengths[falling]
        layout = (lay_out_grouped if self.layout == "grouped" else lay_out_packed)(lengths)
        # The latest position of a user reads the last item but `reserve`.
        latest = self.sequences.offsets[users + 1] - 1 - reserve
        sources = latest[layout.sequences.numpy()] - layout.positions.numpy()
        arrays = [
            torch.from_numpy(self.sequences.items[sources + shift].astype(np.int64))
            for shift in range(reserve + 1)
        ]
        if self.layout == "grouped":
            arrays = [array.mul_(layout.real) for array in arrays]
        return torch.from_numpy(users), layout, arrays

    def _read_fixed(
        self, users: np.ndarray, lengths: np.ndarray, reserve: int
    ) -> tuple[Tensor, Layout, list[Tensor]]:
        there, on_device = (
            torch.from_numpy(array).to(self.device, non_blocking=True) for array in (users, lengths)
        )
        layout = lay_out_fixed(on_device, self.max_length)
        # The latest position of a user reads the last item but `reserve`.
        sources = self._offsets[there + 1][layout.sequences] - 1 - reserve - layout.positions
        arrays = [
            torch.where(layout.real, self._items[sources + shift].long(), 0)
            for shift in range(reserve + 1)
        ]
        return there, layout, arrays


def epoch_batches(
    users: np.ndarray, batch_size: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """All `users` (int64 [U]) in random order, cut into batches; the last may be smaller."""
    order = generator.permutation(users)
    edges = [*range(0, len(order), batch_size), len(order)]
    return [order[start:stop] for start, stop in pairwise(edges)]
