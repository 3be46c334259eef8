"""Layouts against counting slot by slot."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.batching.layout import (
    GROUPS,
    Layout,
    lay_out_fixed,
    lay_out_grouped,
    lay_out_packed,
)

some_lengths = st.lists(st.integers(1, 7), min_size=1, max_size=20)


def assert_layout(layout: Layout, lengths: list[int], starts: list[int], slots: int) -> None:
    """Every slot is what counting sequence by sequence from `starts` gives."""
    owner, later = [-1] * slots, [0] * slots
    for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        for column in range(length):
            assert owner[start + column] == -1, "two sequences in one slot"
            owner[start + column], later[start + column] = number, length - 1 - column
    assert layout.lengths.tolist() == lengths
    assert layout.last_slots.tolist() == [
        start + length - 1 for start, length in zip(starts, lengths, strict=True)
    ]
    assert layout.real.tolist() == [number >= 0 for number in owner]
    assert layout.positions.tolist() == later
    owned = layout.sequences.tolist()
    assert all(0 <= number < len(lengths) for number in owned)
    assert all(mine in (number, -1) for number, mine in zip(owned, owner, strict=True))
    for tensor in (layout.lengths, layout.last_slots, layout.sequences, layout.positions):
        assert tensor.dtype == torch.int64


@given(lengths=some_lengths)
def test_sequences_lie_end_to_end(lengths):
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    layout = lay_out_packed(np.array(lengths))
    assert layout.groups is None
    assert_layout(layout, lengths, starts, sum(lengths))


@given(lengths=some_lengths, width=st.integers(7, 11))
def test_fixed_layout(lengths, width):
    layout = lay_out_fixed(torch.tensor(lengths), width)
    assert layout.groups == ((len(lengths), width),)
    starts = [number * width for number in range(len(lengths))]
    assert_layout(layout, lengths, starts, len(lengths) * width)


@given(lengths=some_lengths)
def test_grouped_layout(lengths):
    lengths = sorted(lengths, reverse=True)
    layout = lay_out_grouped(np.array(lengths))
    counts, widths = zip(*layout.groups, strict=True)
    assert len(counts) == min(GROUPS, len(lengths))
    assert sum(counts) == len(lengths)
    assert max(counts) - min(counts) <= 1
    by_sequence = [width for count, width in layout.groups for _ in range(count)]
    firsts = [sum(counts[:number]) for number in range(len(counts))]
    assert list(widths) == [lengths[first] for first in firsts], "as wide as its longest"
    starts = [sum(by_sequence[:number]) for number in range(len(lengths))]
    assert_layout(layout, lengths, starts, sum(by_sequence))


def test_grouped_sequences_come_longest_first():
    with pytest.raises(AssertionError):
        lay_out_grouped(np.array([3, 5]))


WAYS = {
    "packed": lay_out_packed,
    "grouped": lay_out_grouped,
    "fixed": lambda lengths: lay_out_fixed(torch.from_numpy(lengths), 7),
    "wide": lambda lengths: lay_out_fixed(torch.from_numpy(lengths), 9),
}


@given(lengths=some_lengths)
@pytest.mark.parametrize("way", WAYS)
def test_rows_and_back(way, lengths):
    if way == "grouped":
        lengths = sorted(lengths, reverse=True)
    layout = WAYS[way](np.array(lengths))
    x = torch.arange(len(layout.real) * 2.0).view(-1, 2).requires_grad_()
    rows = layout.to_rows(x)
    width = {"packed": max(lengths), "fixed": 7, "wide": 9}.get(way)
    shapes = layout.groups if width is None else [(len(lengths), width)]
    assert [part.shape for part in rows] == [(*shape, 2) for shape in shapes]
    for number, row in enumerate(row for part in rows for row in part):
        own = layout.real & (layout.sequences == number)
        assert torch.equal(row[: lengths[number]], x[own])
    back = layout.from_rows(rows)
    assert torch.equal(back[layout.real], x[layout.real])
    back[layout.real].sum().backward()
    assert torch.equal(x.grad, layout.real[:, None].expand(-1, 2).float())


def test_fixed_layouts_by_hand():
    layout = lay_out_fixed(torch.tensor([1, 3]), 3)
    assert layout.positions.tolist() == [0, 0, 0, 2, 1, 0]
    assert layout.real.tolist() == [True, False, False, True, True, True]
    assert layout.last_slots.tolist() == [0, 5]
