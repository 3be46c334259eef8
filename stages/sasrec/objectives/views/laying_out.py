"""Rows laid out as a batch, in the way that another batch lies.

Shapes: B sequences, T slots.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from sasrec.batching.batches import Batch, TrainingBatch
from sasrec.batching.columns import PADDING
from sasrec.batching.layout import Layout, lay_out_fixed, lay_out_grouped, lay_out_packed
from sasrec.objectives.views.rows import Rows


@dataclass(frozen=True)
class View:
    """Other sequences in the place of a batch's.

    Attributes:
        order: int64 [B], where in `batch` the one for each of the other batch's sequences lies.
    """

    batch: Batch
    order: Tensor


def longest(layout: Layout, max_length: int | None) -> int:
    """How many positions a view of a batch in this layout may have.

    Args:
        max_length: what the model takes; None where that is not known, then no view is longer than
            the longest sequence of its batch.
    """
    if layout.kind == "fixed":
        return layout.groups[0].width
    return max_length or int(layout.lengths.max())


def as_view(rows: Rows, like: Layout) -> View:
    """Rows as a batch of the kind of layout that `like` is."""
    layout, rows_there = _lay_out(rows.lengths.clone(), like)  # nothing is shared with a source
    return View(_read(rows, layout, rows_there), rows_there.argsort())


def as_training_batch(rows: Rows, users: Tensor, like: Layout) -> TrainingBatch:
    """Rows of two items or more, each item and its next, laid out as `like` is.

    Args:
        users: int64 [B], of each row.
    """
    layout, rows_there = _lay_out(rows.lengths - 1, like)
    inputs = _read(rows, layout, rows_there)
    targets = _read(rows, layout, rows_there, later=1)
    return TrainingBatch(inputs, targets.items, users[rows_there], targets.columns)


def _lay_out(lengths: Tensor, like: Layout) -> tuple[Layout, Tensor]:
    """The layout of sequences, and which of `lengths` [B] each of them has: int64 [B]."""
    in_turn = torch.arange(len(lengths), device=lengths.device)
    if like.kind == "packed":
        return lay_out_packed(lengths.numpy()), in_turn
    if like.kind == "fixed":
        return lay_out_fixed(lengths, like.groups[0].width), in_turn
    falling = lengths.argsort(descending=True, stable=True)
    return lay_out_grouped(lengths[falling].numpy()), falling


def _read(rows: Rows, layout: Layout, rows_there: Tensor, later: int = 0) -> Batch:
    """The rows' items at the slots of `layout`, or those so many places `later`."""
    row = rows_there[layout.sequences]
    place = layout.lengths[layout.sequences] - 1 - layout.positions + later

    def read(values: Tensor, nothing: float = 0) -> Tensor:
        return torch.where(layout.real, values[row, place], nothing)

    columns = {name: read(column, PADDING[name]) for name, column in rows.columns.items()}
    return Batch(read(rows.items), layout, columns)
