"""Windows of long histories: those of every row of the table, and batches of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import by_row, toy_sequences

from sasrec.batching.batches import SequenceReader
from sasrec.batching.windows import WINDOWS
from sasrec.data.sequences import Sequences

CPU = torch.device("cpu")


@given(
    lengths=st.lists(st.integers(0, 23), min_size=1, max_size=13),
    max_length=st.integers(1, 11),
    seed=st.integers(0, 2**32),
)
@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_as_long_as_the_latest_and_within_the_history(name, lengths, max_length, seed):
    lengths = np.array(lengths)
    skipped, again = (
        WINDOWS[name](lengths, max_length, np.random.default_rng(seed)) for _ in range(2)
    )
    assert skipped.dtype == np.int64
    assert skipped.shape == lengths.shape
    assert (skipped >= 0).all()
    left = np.minimum(lengths - skipped, max_length + 1)
    assert left.tolist() == np.minimum(lengths, max_length + 1).tolist()
    assert skipped.tolist() == again.tolist()


def test_latest_skips_nothing_and_random_anything_half_the_time():
    lengths = np.full(70_000, 5 + 1 + 6)  # seven windows of five positions
    generator = np.random.default_rng(3)
    assert not WINDOWS["latest"](lengths, 5, generator).any()
    counts = np.bincount(WINDOWS["random"](lengths, 5, generator))
    assert len(counts) == 7
    expected = np.array([35_000 + 5_000] + [5_000] * 6)
    assert (abs(counts - expected) < 5 * expected**0.5).all(), counts


@pytest.mark.parametrize("layout", ["packed", "grouped", "fixed"])
def test_batches_hold_the_windows_with_their_columns(layout):
    draw = np.random.default_rng(1)
    rows = [draw.integers(1, 97, length).tolist() for length in (2, 13, 3, 6, 9, 17, 5)]
    plain = toy_sequences(rows)
    columns = {
        "rating": plain.items.astype(np.float32) / 2,
        "timestamp": np.arange(len(plain.items)) * 10,
    }
    sequences = Sequences(plain.offsets, plain.items, columns)
    reader = SequenceReader(sequences, 4, CPU, layout=layout, columns=columns)
    users, skipped = np.array([3, 2, 6, 1, 5, 4]), {3: 1, 2: 5, 6: 12, 1: 0, 5: 0, 4: 3}
    batch = reader.training_batch(users, np.array([skipped[user] for user in users]))
    inputs, drawn = batch.inputs, batch.users.tolist()
    assert sorted(drawn) == sorted(users)

    def check(values, followed, whole):
        windows = []
        for user in drawn:
            own = whole[plain.offsets[user] : plain.offsets[user + 1]].tolist()
            windows.append(own[: len(own) - skipped[user]][-5:])
        for row, window in zip(by_row(values, inputs), windows, strict=True):
            assert row.tolist() == window[:-1]
        for row, window in zip(by_row(followed, inputs), windows, strict=True):
            assert row.tolist() == window[1:]

    check(inputs.items, batch.targets, plain.items)
    for name, column in columns.items():
        check(inputs.columns[name], batch.target_columns[name], column)
    assert inputs.layout.lengths.sum() == (batch.targets > 0).sum() == 1 + 4 + 4 + 1 + 4 + 2


def test_a_window_without_a_next_item_is_an_error():
    reader = SequenceReader(toy_sequences([[7, 3, 5]]), 3, CPU, layout="packed")
    with pytest.raises(AssertionError, match="without positions"):
        reader.training_batch(np.array([1]), np.array([2]))
