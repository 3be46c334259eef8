"""Batches against plain Python lists."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import by_row, toy_sequences

from sasrec.batching.batches import Batch, SequenceReader, epoch_batches
from sasrec.batching.layout import Kind, Layout

KINDS = ("packed", "grouped", "fixed")
sequences_of_items = st.lists(
    st.lists(st.integers(1, 97), min_size=1, max_size=17), min_size=1, max_size=13
)


def rows_of(batch: Batch, values: torch.Tensor | None = None) -> list[list[int]]:
    """The real entries of each sequence; padding must be 0 in items and in `values`."""
    values = batch.items if values is None else values
    assert (values[~batch.layout.real] == 0).all()
    return [row.tolist() for row in by_row(values, batch)]


def reader_for(rows: list[list[int]], max_length: int, layout: Kind) -> SequenceReader:
    return SequenceReader(toy_sequences(rows), max_length, torch.device("cpu"), layout=layout)


def assert_laid_out(layout: Layout, lengths: list[int], max_length: int, kind: Kind) -> None:
    """Fixed: a row of `max_length` each; grouped: no wider than the longest; else no padding."""
    assert layout.lengths.tolist() == lengths
    if kind == "packed":
        assert layout.groups is None
        assert layout.real.all()
    elif kind == "fixed":
        assert layout.groups == ((len(lengths), max_length),)
    else:
        assert sum(rows.count for rows in layout.groups) == len(lengths)
        assert layout.groups[0].width == max(lengths)


def in_order(users: list[int], lengths: list[int], kind: Kind) -> list[int]:
    """As they were asked for; grouped, the longest first."""
    if kind != "grouped":
        return users
    return [user for _, user in sorted(zip(lengths, users, strict=True), key=lambda x: -x[0])]


@given(rows=sequences_of_items, max_length=st.integers(1, 19), data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_training_batch(kind, rows, max_length, data):
    long_enough = [user for user, row in enumerate(rows, 1) if len(row) >= 2]
    if not long_enough:
        return
    users = data.draw(st.lists(st.sampled_from(long_enough), min_size=1, unique=True))
    batch = reader_for(rows, max_length, kind).training_batch(np.array(users))

    drawn = batch.users.tolist()
    lengths = [min(len(rows[user - 1]) - 1, max_length) for user in users]
    assert drawn == in_order(users, lengths, kind)
    windows = [rows[user - 1][-(max_length + 1) :] for user in drawn]
    assert rows_of(batch.inputs) == [window[:-1] for window in windows]
    assert rows_of(batch.inputs, batch.targets) == [window[1:] for window in windows]
    assert (batch.targets > 0).equal(batch.inputs.layout.real)
    assert batch.inputs.items.dtype == batch.targets.dtype == torch.int64
    assert_laid_out(batch.inputs.layout, [len(window) - 1 for window in windows], max_length, kind)


@given(rows=sequences_of_items, max_length=st.integers(1, 19), data=st.data())
@pytest.mark.parametrize("kind", KINDS)
def test_histories(kind, rows, max_length, data):
    users = data.draw(st.permutations(range(1, len(rows) + 1)))
    batch, drawn = reader_for(rows, max_length, kind).histories(np.array(users))
    drawn = drawn.tolist()
    lengths = [min(len(rows[user - 1]), max_length) for user in users]
    assert drawn == in_order(users, lengths, kind)
    windows = [rows[user - 1][-max_length:] for user in drawn]
    assert rows_of(batch) == windows
    assert_laid_out(batch.layout, [len(window) for window in windows], max_length, kind)


def test_packed_batches_by_hand():
    rows = [[7, 3], [2, 2, 5, 11, 13], [17], [19, 23, 29]]
    reader = reader_for(rows, 3, "packed")
    batch = reader.training_batch(np.array([1, 4, 2]))
    assert batch.users.tolist() == [1, 4, 2]
    assert batch.inputs.layout.lengths.tolist() == [1, 2, 3]
    assert batch.inputs.items.tolist() == [7, 19, 23, 2, 5, 11]
    assert batch.targets.tolist() == [3, 23, 29, 5, 11, 13]
    batch, users = reader.histories(np.array([3, 2]))
    assert users.tolist() == [3, 2]
    assert batch.items.tolist() == [17, 5, 11, 13]


def test_fixed_batches_by_hand():
    rows = [[7, 3], [2, 2, 5, 11, 13], [17], [19, 23, 29]]
    reader = reader_for(rows, 3, "fixed")
    batch = reader.training_batch(np.array([1, 4, 2]))
    assert batch.users.tolist() == [1, 4, 2]
    assert batch.inputs.layout.groups == ((3, 3),)
    assert batch.inputs.items.tolist() == [7, 0, 0, 19, 23, 0, 2, 5, 11]
    assert batch.targets.tolist() == [3, 0, 0, 23, 29, 0, 5, 11, 13]


def test_grouped_batches_by_hand():
    rows = [[7, 3], [2, 2, 5, 11, 13], [17], [19, 23, 29]]
    batch = reader_for(rows, 3, "grouped").training_batch(np.array([1, 4, 2]))
    assert batch.users.tolist() == [2, 4, 1]
    assert batch.inputs.layout.groups == ((1, 3), (1, 2), (1, 1))
    assert batch.inputs.items.tolist() == [2, 5, 11, 19, 23, 7]
    assert batch.targets.tolist() == [5, 11, 13, 23, 29, 3]


@pytest.mark.parametrize("kind", ["packed", "grouped"])
def test_batches_of_any_width_are_for_the_cpu(kind):
    with pytest.raises(AssertionError, match="on the CPU"):
        SequenceReader(toy_sequences([[1, 2]]), 3, torch.device("cuda"), layout=kind)


def test_a_user_without_positions_is_an_error():
    reader = reader_for([[7, 3], [5]], 3, "packed")
    with pytest.raises(AssertionError, match="without positions"):
        reader.training_batch(np.array([1, 2]))


@given(
    users=st.lists(st.integers(1, 1000), max_size=50, unique=True),
    batch_size=st.integers(1, 17),
    seed=st.integers(0, 2**32),
)
def test_an_epoch_is_every_user_once(users, batch_size, seed):
    array = np.array(users, np.int64)
    epoch = epoch_batches(array, batch_size, np.random.default_rng(seed))
    assert sorted(user for batch in epoch for user in batch) == sorted(users)
    assert all(len(batch) == batch_size for batch in epoch[:-1])
    assert all(1 <= len(batch) <= batch_size for batch in epoch[-1:])
    again = epoch_batches(array, batch_size, np.random.default_rng(seed))
    assert all(np.array_equal(*pair) for pair in zip(epoch, again, strict=True))


def test_who_shares_a_batch_is_random():
    users = np.arange(1, 1010)
    first = epoch_batches(users, 10, np.random.default_rng(1))
    second = epoch_batches(users, 10, np.random.default_rng(2))
    assert not np.array_equal(first[0], second[0])
    neighbours = sum(abs(int(a) - int(b)) == 1 for batch in first for a, b in pairwise(batch))
    assert neighbours < 20  # of 908 pairs; two in a thousand by chance
