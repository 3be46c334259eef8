"""Columns in batches against plain Python lists, in every layout."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import by_row, toy_sequences

from sasrec.batching.batches import Batch, SequenceReader
from sasrec.data.sequences import COLUMNS

CPU = torch.device("cpu")
KINDS = ("packed", "grouped", "fixed")
DTYPES = {"rating": torch.float32, "timestamp": torch.int64}
interactions = st.tuples(
    st.integers(1, 97), st.sampled_from([1.0, 2.5, 5.0, None]), st.integers(-(2**60), 2**60)
)
histories = st.lists(st.lists(interactions, min_size=1, max_size=11), min_size=1, max_size=7)


def reader_for(rows, max_length, layout, columns):
    sequences = toy_sequences([[item for item, _, _ in row] for row in rows])
    flat = [interaction for row in rows for interaction in row]
    ratings = np.array([rating for _, rating, _ in flat], np.float32)  # None is NaN
    times = np.array([time for _, _, time in flat], np.int64)
    sequences = replace(sequences, columns={"rating": ratings, "timestamp": times})
    return SequenceReader(sequences, max_length, CPU, layout=layout, columns=columns)


def assert_columns(batch: Batch, found, rows, names):
    """`found` holds the columns `names` of `rows`, a sequence each, and padding."""
    assert list(found) == names
    for name in names:
        padding = found[name][~batch.layout.real]
        assert (padding.isnan() if name == "rating" else padding == 0).all()
        assert found[name].dtype == DTYPES[name]
        assert found[name].shape == batch.items.shape
        place = 1 if name == "rating" else 2
        expected = [[interaction[place] for interaction in row] for row in rows]
        values = [row.tolist() for row in by_row(found[name], batch)]
        assert [[None if x != x else x for x in row] for row in values] == expected


@given(
    rows=histories,
    max_length=st.integers(1, 13),
    names=st.lists(st.sampled_from(list(COLUMNS)), unique=True),
    data=st.data(),
)
@pytest.mark.parametrize("kind", KINDS)
def test_columns_of_batches(kind, rows, max_length, names, data):
    reader = reader_for(rows, max_length, kind, names)
    users = np.array(data.draw(st.permutations(range(1, len(rows) + 1))))
    batch, drawn = reader.histories(users)
    windows = [rows[user - 1][-max_length:] for user in drawn.tolist()]
    assert_columns(batch, batch.columns, windows, names)

    users = np.array([user for user in users if len(rows[user - 1]) >= 2])
    if not len(users):
        return
    batch = reader.training_batch(users)
    windows = [rows[user - 1][-(max_length + 1) :] for user in batch.users.tolist()]
    assert_columns(batch.inputs, batch.inputs.columns, [row[:-1] for row in windows], names)
    assert_columns(batch.inputs, batch.target_columns, [row[1:] for row in windows], names)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_read_that_is_not_asked_for(kind):
    sequences = toy_sequences([[7, 3, 5]])
    unread = replace(sequences, columns={"rating": None, "timestamp": None})
    reader = SequenceReader(unread, 5, CPU, layout=kind)
    batch = reader.training_batch(np.array([1]))
    assert (batch.inputs.columns, batch.target_columns) == ({}, {})
    assert reader.histories(np.array([1]))[0].columns == {}


def test_fixed_columns_by_hand():
    rows = [[(7, 4.0, 70), (3, None, 80)], [(2, 1.0, 5), (2, 2.0, 6), (5, 3.0, 9)]]
    batch = reader_for(rows, 3, "fixed", ["rating", "timestamp"]).training_batch(np.array([1, 2]))
    assert batch.inputs.columns["timestamp"].tolist() == [70, 0, 0, 5, 6, 0]
    assert batch.target_columns["timestamp"].tolist() == [80, 0, 0, 6, 9, 0]
    ratings = batch.inputs.columns["rating"].nan_to_num(-1).tolist()
    assert ratings == [4.0, -1, -1, 1.0, 2.0, -1]
    assert batch.target_columns["rating"].nan_to_num(-1).tolist() == [-1, -1, -1, 2.0, 3.0, -1]


def test_columns_stay_memory_mapped(tmp_path):
    """On the CPU no layout copies a whole column."""
    np.save(tmp_path / "times.npy", np.array([3, 4, 5]))
    times = np.load(tmp_path / "times.npy", mmap_mode="c")
    sequences = replace(toy_sequences([[7, 3, 5]]), columns={"timestamp": times})
    reader = SequenceReader(sequences, 5, CPU, layout="packed", columns=["timestamp"])
    times[1] = 9
    assert reader.histories(np.array([1]))[0].columns["timestamp"].tolist() == [3, 9, 5]
