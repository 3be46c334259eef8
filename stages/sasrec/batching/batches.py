"""Batches: users are batched at random; inside a batch, sequences are packed or padded.

Shapes: B sequences of a batch, T slots (see layout.py).

Sorting users into batches by length would save padding on a GPU, and make learning worse: a mean
over a batch of short histories gives each of their items many times the weight. So training never
does that (ranking does, where nothing is learnt); how the sequences of a batch are laid out changes
nothing that is learnt.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.columns import PADDING
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
            in data/sequences.py; only what was asked for. PADDING stands at padding.
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
        columns: names of the sequences' columns that batches are to hold beside the items.
    """

    def __init__(
        self,
        sequences: Sequences,
        max_length: int,
        device: torch.device,
        *,
        layout: Kind,
        columns: Collection[str] = (),
    ) -> None:
        assert max_length >= 1
        assert layout == "fixed" or device.type == "cpu", f"{layout} batches are made on the CPU"
        self.max_length = max_length
        self.device = device
        self.layout = layout
        self.sequences = sequences
        self._lengths = sequences.lengths
        # On the CPU these are the memory-mapped arrays themselves.
        self._items = torch.from_numpy(sequences.items).to(device)
        self._columns = {
            name: torch.from_numpy(sequences.columns[name]).to(device) for name in columns
        }

    def training_batch(self, users: np.ndarray, skipped: np.ndarray | int = 0) -> TrainingBatch:
        """The sequences of `users` (int64 [B], at least two items each), each item and its next.

        Args:
            skipped: int64 [B], how many of the latest items of each stay out (windows.py); at
                least two must be left.
        """
        users, layout, places = self._locate(users, reserve=1 + skipped)
        inputs = self._batch(places, layout)
        following = self._batch(places + 1, layout)
        return TrainingBatch(inputs, following.items, users, following.columns)

    def histories(self, users: np.ndarray) -> tuple[Batch, Tensor]:
        """All of each user's items, at most `max_length`; with the users in the layout's order."""
        users, layout, places = self._locate(users, reserve=0)
        return self._batch(places, layout), users

    def _locate(
        self, users: np.ndarray, reserve: np.ndarray | int
    ) -> tuple[Tensor, Layout, Tensor]:
        """Users in the layout's order, and which item each slot holds: int64 [T].

        The latest position of a user reads the last item but `reserve`; so does padding.
        """
        users = np.asarray(users, np.int64)
        lengths = np.minimum(self._lengths[users] - reserve, self.max_length)
        assert (lengths >= 1).all(), "a user without positions"
        latest = self.sequences.offsets[users + 1] - 1 - reserve
        if self.layout == "grouped":
            falling = np.argsort(-lengths, kind="stable")
            users, lengths, latest = users[falling], lengths[falling], latest[falling]
        if self.layout == "fixed":
            users, lengths, latest = (
                torch.from_numpy(array).to(self.device, non_blocking=True)
                for array in (users, lengths, latest)
            )
            layout = lay_out_fixed(lengths, self.max_length)
        else:
            layout = (lay_out_grouped if self.layout == "grouped" else lay_out_packed)(lengths)
            users, latest = torch.from_numpy(users), torch.from_numpy(latest)
        return users, layout, latest[layout.sequences] - layout.positions

    def _batch(self, places: Tensor, layout: Layout) -> Batch:
        """The items at `places` (int64 [T]), and what else is wanted of them."""
        items = _select(self._items, places, layout, 0).long()
        columns = {
            name: _select(column, places, layout, PADDING[name])
            for name, column in self._columns.items()
        }
        return Batch(items, layout, columns)


def _select(column: Tensor, places: Tensor, layout: Layout, padding: float) -> Tensor:
    """The values at `places` (int64 [T]), and `padding` where no sequence has a position."""
    values = column.index_select(0, places)
    return values if layout.groups is None else torch.where(layout.real, values, padding)


def epoch_batches(
    users: np.ndarray, batch_size: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """All `users` (int64 [U]) in random order, cut into batches; the last may be smaller."""
    order = generator.permutation(users)
    edges = [*range(0, len(order), batch_size), len(order)]
    return [order[start:stop] for start, stop in pairwise(edges)]
