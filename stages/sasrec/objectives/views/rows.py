"""The sequences of a batch as rows, which is what augmentations work on.

Shapes: B sequences, W the width of a row.

An augmentation makes new rows and never writes into those that it was given. On a GPU nothing here
waits for it: shapes depend on B and W alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.batching.batches import Batch, TrainingBatch
from sasrec.batching.columns import PADDING, of_other_items
from sasrec.objectives.negatives import random_below


@dataclass(frozen=True)
class Rows:
    """Sequences from the left, oldest first.

    Attributes:
        items: int64 [B, W]; 0 after a sequence's end, and in it where an item is masked.
        lengths: int64 [B].
        columns: as `Batch.columns`, [B, W] each.
    """

    items: Tensor
    lengths: Tensor
    columns: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def width(self) -> int:
        return self.items.shape[1]

    @property
    def places(self) -> Tensor:
        """int64 [W], from 0."""
        return torch.arange(self.width, device=self.items.device)

    @property
    def real(self) -> Tensor:
        """bool [B, W], False after a sequence's end."""
        return self.places < self.lengths[:, None]

    def take(self, places: Tensor, lengths: Tensor) -> "Rows":
        """What stands at `places` (int64 [B, W']), in rows of `lengths`."""
        real = torch.arange(places.shape[1], device=places.device) < lengths[:, None]
        places = places.clamp(0, self.width - 1)

        def taken(values: Tensor, nothing: float = 0) -> Tensor:
            return torch.where(real, values.gather(1, places), nothing)

        columns = {name: taken(column, PADDING[name]) for name, column in self.columns.items()}
        return Rows(taken(self.items), lengths, columns)

    def replace(self, where: Tensor, items: Tensor) -> "Rows":
        """With other `items` [B, W] at some places (bool [B, W])."""
        columns = of_other_items(self.columns, where)
        return Rows(torch.where(where, items, self.items), self.lengths, columns)

    def latest(self, limit: int) -> "Rows":
        """At most the latest `limit` places of each, in rows at most as wide."""
        if self.width <= limit:
            return self
        before = (self.lengths - limit).clamp(min=0)[:, None]
        return self.take(before + self.places[:limit], self.lengths.clamp(max=limit))

    def padded(self, width: int) -> "Rows":
        """In rows of `width`, no less than now."""

        def wide(values: Tensor, nothing: float = 0) -> Tensor:
            return functional.pad(values, (0, width - self.width), value=nothing)

        columns = {name: wide(column, PADDING[name]) for name, column in self.columns.items()}
        return Rows(wide(self.items), self.lengths, columns)

    def share(self, share: float) -> Tensor:
        """`share` of each sequence's length, rounded down: int64 [B]; to six decimals of it."""
        return self.lengths * round(share * 1_000_000) // 1_000_000

    def choose(self, count: Tensor, generator: torch.Generator | None) -> Tensor:
        """`count` (int64 [B]) places of each sequence at random: bool [B, W]."""
        keys = torch.rand(self.items.shape, generator=generator, device=self.items.device)
        order = torch.where(self.real, keys, 2).argsort(dim=1, stable=True)
        first = self.places < count[:, None]
        return torch.zeros_like(first).scatter(1, order, first)

    def window(self, count: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Where `count` (int64 [B]) places side by side begin and end, at random: int64 [B, 1]."""
        start = random_below(self.lengths - count + 1, generator)[:, None]
        return start, start + count[:, None]


def rows_of(batch: Batch) -> Rows:
    """The sequences of a batch, in its order."""
    layout = batch.layout
    width = (
        int(layout.lengths.max())
        if layout.groups is None
        else max(group.width for group in layout.groups)
    )
    first = (layout.last_slots + 1 - layout.lengths)[:, None]
    places = torch.arange(width, device=batch.items.device)
    real = places < layout.lengths[:, None]
    slots = torch.where(real, first + places, 0)

    def read(values: Tensor, nothing: float = 0) -> Tensor:
        return torch.where(real, values[slots], nothing)

    columns = {name: read(column, PADDING[name]) for name, column in batch.columns.items()}
    return Rows(read(batch.items), layout.lengths, columns)


def rows_with_targets(batch: TrainingBatch) -> Rows:
    """The inputs of each sequence, and after them its last target: all that it is learnt from."""
    rows, last = rows_of(batch.inputs), batch.inputs.layout.last_slots
    longer = rows.padded(rows.width + 1)
    end = longer.places == rows.lengths[:, None]

    def ended(values: Tensor, targets: Tensor) -> Tensor:
        return torch.where(end, targets[last][:, None], values)

    columns = {
        name: ended(column, batch.target_columns[name]) for name, column in longer.columns.items()
    }
    return Rows(ended(longer.items, batch.targets), rows.lengths + 1, columns)


def either(choice: Tensor, rows: Rows, others: Rows) -> Rows:
    """Where `choice` (bool [B]) is True those of `rows`, else those of `others`."""
    width = max(rows.width, others.width)
    rows, others = rows.padded(width), others.padded(width)
    columns = {
        name: torch.where(choice[:, None], column, others.columns[name])
        for name, column in rows.columns.items()
    }
    return Rows(
        torch.where(choice[:, None], rows.items, others.items),
        torch.where(choice, rows.lengths, others.lengths),
        columns,
    )
