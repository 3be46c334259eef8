"""Batches to make views of, with a rating and a time for each interaction."""

from dataclasses import replace

import numpy as np
import torch
from toys import NUM_ITEMS, by_row, toy_objective_params, toy_sequences

from sasrec.batching.batches import Batch, SequenceReader, TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.objectives.views.augmenting import Augmenter, build_augmenter

CPU = torch.device("cpu")
# The longest first, as grouped batches have them; distinct items in a sequence; two end alike.
HISTORIES = [
    [5, 19, 2, 12, 23, 7, 11, 1, 3, 9, 17],
    [3, 1, 14, 8, 20, 6],
    [21, 4, 16, 9, 10, 6],
    [13, 6, 2],
    [17, 8],
]
LAYOUTS = {"packed": 10, "grouped": 10, "fixed": 10, "wide": 13}  # and the most positions


def batch_in(layout: str) -> TrainingBatch:
    """All of HISTORIES."""
    reader = SequenceReader(
        sequences_with_columns(),
        LAYOUTS[layout],
        CPU,
        layout="fixed" if layout == "wide" else layout,
        columns=("rating", "timestamp"),
    )
    return reader.training_batch(np.arange(1, len(HISTORIES) + 1))


def sequences_with_columns() -> Sequences:
    """HISTORIES. An item's rating is its tenth, and its time a hundred times it."""
    sequences = toy_sequences(HISTORIES)
    items = sequences.items
    columns = {"rating": items.astype(np.float32) / 10, "timestamp": 100 * items.astype(np.int64)}
    return replace(sequences, columns=columns)


def augmenter_of(
    *names: str, max_length: int | None = 20, similar: int = 1, **shares: float
) -> Augmenter:
    """By rows of AUGMENTATIONS; `shares` replace those of params.yaml."""
    given = toy_objective_params().augmentation_shares.model_dump()
    params = toy_objective_params(
        augmentations=list(names), augmentation_shares=given | shares, similar_items=similar
    )
    return build_augmenter(params, toy_sequences(HISTORIES), NUM_ITEMS, CPU, max_length)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def view_rows(view, what: str | None = None) -> list[list[float]]:
    """Of each of the source's sequences the view's items, or a column."""
    values = view.batch.items if what is None else view.batch.columns[what]
    rows = [row.tolist() for row in by_row(values, view.batch)]
    return [rows[place] for place in view.order.tolist()]


def flat(batch: Batch) -> list[torch.Tensor]:
    """All tensors of a batch."""
    layout = batch.layout
    return [
        *(batch.items, *batch.columns.values(), layout.lengths, layout.last_slots),
        *(layout.sequences, layout.positions, layout.real),
    ]
