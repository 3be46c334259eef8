"""Batches against plain Python lists."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import by_row, toy_sequences

from sasrec import batches
from sasrec.batches import (
    Batch,
    Layout,
    SequenceReader,
    epoch_batches,
    group_by_length,
    lay_out,
)

lengths_sorted = st.lists(st.integers(1, 300), min_size=1, max_size=60).map(
    lambda lengths: sorted(lengths, reverse=True)
)
sequences_of_items = st.lists(
    st.lists(st.integers(1, 97), min_size=1, max_size=17), min_size=1, max_size=13
)


@given(lengths=lengths_sorted)
def test_groups_cover_all_rows_and_are_as_long_as_their_longest(lengths):
    groups = group_by_length(np.array(lengths))
    row = 0
    for count, length in groups:
        assert count >= 1
        assert length == lengths[row]
        row += count
    assert row == len(lengths)


SQUARE, GROUP = 0.01, 29  # of the cost in `group_by_length`, whatever was measured last


@pytest.fixture(autouse=True, scope="module")
def costs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "SQUARE", SQUARE)
        patch.setattr(batches, "GROUP", GROUP)
        yield


def cost(groups: list[tuple[int, int]]) -> float:
    return sum(rows * (length + SQUARE * length**2) + GROUP for rows, length in groups)


@given(
    counts=st.lists(
        st.tuples(st.integers(1, 300), st.integers(1, 40)),
        min_size=1,
        max_size=7,
        unique_by=lambda pair: pair[0],
    )
)
def test_no_other_cut_costs_less(counts):
    counts.sort(reverse=True)  # (length, how many rows have it)
    lengths = [length for length, rows in counts for _ in range(rows)]
    every_cut = []
    for chosen in product([False, True], repeat=len(counts) - 1):
        groups: list[tuple[int, int]] = []
        for new, (length, rows) in zip((True, *chosen), counts, strict=True):
            if new:
                groups.append((rows, length))
            else:
                groups[-1] = (groups[-1][0] + rows, groups[-1][1])
        every_cut.append(groups)
    best = min(map(cost, every_cut))
    assert cost(group_by_length(np.array(lengths))) == pytest.approx(best, rel=1e-12)


def test_groups_by_hand():
    # A row of 50 costs 50 + 25, of 40 40 + 16: cutting n of them off saves 19 n, less 29.
    assert group_by_length(np.array([50, 40])) == [(2, 50)]
    assert group_by_length(np.array([50, 40, 40])) == [(1, 50), (2, 40)]
    # All alike is one group, and so is one row.
    assert group_by_length(np.array([7] * 500)) == [(500, 7)]
    assert group_by_length(np.array([3])) == [(1, 3)]


def assert_layout(layout: Layout, lengths: list[int], groups: list[tuple[int, int]]) -> None:
    """Every slot of `layout` is what counting row by row gives."""
    widths = [width for count, width in groups for _ in range(count)]
    slots = [
        (row, column, column < length, max(0, length - 1 - column))
        for row, (length, width) in enumerate(zip(lengths, widths, strict=True))
        for column in range(width)
    ]
    rows, columns, real, positions = map(list, zip(*slots, strict=True))
    assert layout.groups == tuple(groups)
    assert layout.lengths.tolist() == lengths
    assert layout.rows.tolist() == rows
    assert layout.columns.tolist() == columns
    assert layout.real.tolist() == real
    assert layout.positions.tolist() == positions
    latest = [slots.index((row, length - 1, True, 0)) for row, length in enumerate(lengths)]
    assert layout.last_slots.tolist() == latest


@given(lengths=lengths_sorted)
def test_layout(lengths):
    groups = [(1, length) for length in lengths[:3]]
    if lengths[3:]:
        groups.append((len(lengths) - 3, lengths[3]))
    assert_layout(lay_out(torch.tensor(lengths), groups), lengths, groups)


def test_layout_of_one_block_in_any_order():
    lengths, groups = [2, 5, 3], [(3, 7)]
    assert_layout(lay_out(torch.tensor(lengths), groups), lengths, groups)


def rows_of(batch: Batch, values: torch.Tensor | None = None) -> list[list[int]]:
    """The real entries of each row; padding must be 0 in items and in `values`."""
    values = batch.items if values is None else values
    assert (values[~batch.layout.real] == 0).all()
    return [row.tolist() for row in by_row(values, batch)]


def reader_for(rows: list[list[int]], max_length: int, dense: bool) -> SequenceReader:
    return SequenceReader(toy_sequences(rows), max_length, torch.device("cpu"), dense=dense)


@given(rows=sequences_of_items, max_length=st.integers(1, 19), data=st.data())
@pytest.mark.parametrize("dense", [False, True])
def test_training_batch(dense, rows, max_length, data):
    long_enough = [user for user, row in enumerate(rows, 1) if len(row) >= 2]
    if not long_enough:
        return
    users = data.draw(st.lists(st.sampled_from(long_enough), min_size=1, unique=True))
    batch = reader_for(rows, max_length, dense).training_batch(np.array(users))

    drawn = batch.users.tolist()
    assert drawn == users if dense else sorted(drawn) == sorted(users)
    windows = [rows[user - 1][-(max_length + 1) :] for user in drawn]
    assert rows_of(batch.inputs) == [window[:-1] for window in windows]
    assert rows_of(batch.inputs, batch.targets) == [window[1:] for window in windows]
    assert (batch.targets > 0).equal(batch.inputs.layout.real)
    assert batch.inputs.items.dtype == batch.targets.dtype == torch.int64
    lengths = batch.inputs.layout.lengths.tolist()
    if dense:
        assert batch.inputs.layout.groups == ((len(users), max_length),)
    else:
        assert lengths == sorted(lengths, reverse=True)


@given(rows=sequences_of_items, max_length=st.integers(1, 19), data=st.data())
@pytest.mark.parametrize("dense", [False, True])
def test_histories(dense, rows, max_length, data):
    users = data.draw(st.permutations(range(1, len(rows) + 1)))
    batch, drawn = reader_for(rows, max_length, dense).histories(np.array(users))
    drawn = drawn.tolist()
    assert drawn == users if dense else sorted(drawn) == sorted(users)
    assert rows_of(batch) == [rows[user - 1][-max_length:] for user in drawn]
    if dense:
        assert batch.layout.groups == ((len(users), max_length),)


def test_batches_by_hand():
    rows = [[7, 3], [2, 2, 5, 11, 13], [17], [19, 23, 29]]
    batch = reader_for(rows, 3, dense=False).training_batch(np.array([1, 4, 2]))
    assert batch.users.tolist() == [2, 4, 1]
    assert batch.inputs.layout.groups == ((3, 3),)
    assert batch.inputs.items.tolist() == [2, 5, 11, 19, 23, 0, 7, 0, 0]
    assert batch.targets.tolist() == [5, 11, 13, 23, 29, 0, 3, 0, 0]


def test_a_user_without_positions_is_an_error():
    reader = reader_for([[7, 3], [5]], 3, dense=False)
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
