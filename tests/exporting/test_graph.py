"""The function that a graph is made of gives the model's scores, wherever padding stands."""

import numpy as np
import pytest
import torch
from toy_exports import padded
from toys import EVERY_ROW, MAX_LENGTH, NUM_ITEMS, OPTIONS, ROWS, toy_batch, toy_config, toy_model

from sasrec.batching.columns import PADDING
from sasrec.exporting.graph import NextItemScores
from sasrec.exporting.onnx_file import DTYPES


def inputs_of(rows, width, columns):
    """Items and columns of `rows`, [B, width] each, padding first."""
    batch = toy_batch(rows)
    cuts = np.cumsum([len(row) for row in rows])[:-1]
    tables = [padded(rows, width)]
    for name in columns:
        values = np.split(batch.columns[name].numpy(), cuts)
        tables.append(padded(values, width, values[0].dtype, PADDING[name]))
    return [torch.from_numpy(table) for table in tables]


def wanted(model, rows):
    batch = toy_batch(rows)
    return (model.last_states(batch) @ model.scoring_embedding.T)[:, 1:]


@pytest.mark.parametrize("changes", (EVERY_ROW | OPTIONS).values(), ids=EVERY_ROW | OPTIONS)
@torch.no_grad()
def test_every_part(changes):
    model = toy_model(toy_config(**changes))
    graph = NextItemScores(model).eval()
    inputs = inputs_of(ROWS, 9, graph.columns)
    scores = graph(*inputs)
    assert scores.shape == (len(ROWS), NUM_ITEMS + 1)
    assert (scores[:, 0] == -torch.inf).all()
    torch.testing.assert_close(scores[:, 1:], wanted(model, ROWS))
    # A row turned round so far that its padding stands behind.
    turned = [
        torch.stack([row.roll(len(items) - 9) for row, items in zip(table, ROWS, strict=True)])
        for table in inputs
    ]
    assert turned[0][4].tolist() == [17, 0, 0, 0, 0, 0, 0, 0, 0]
    torch.testing.assert_close(graph(*turned), scores)


@torch.no_grad()
def test_the_latest_items_of_a_long_history():
    model = toy_model(toy_config(inputs=["item", "rating"]))
    graph = NextItemScores(model).eval()
    long = [item % NUM_ITEMS + 1 for item in range(MAX_LENGTH + 6)]
    rows = [long, [5, 3]]
    scores = graph(*inputs_of(rows, len(long) + 2, graph.columns))
    kept = [long[-MAX_LENGTH:], [5, 3]]
    torch.testing.assert_close(scores[:, 1:], wanted(model, kept))


def test_the_dtypes_of_columns():
    batch = toy_batch(ROWS)
    assert {name: column.dtype for name, column in batch.columns.items()} == DTYPES
