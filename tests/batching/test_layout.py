"""Layouts against counting slot by slot."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import LAYOUTS

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
def test_packed(lengths):
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    layout = lay_out_packed(np.array(lengths))
    assert layout.groups is None
    assert_layout(layout, lengths, starts, sum(lengths))


@given(lengths=some_lengths, width=st.integers(7, 11))
def test_fixed(lengths, width):
    layout = lay_out_fixed(torch.tensor(lengths), width)
    assert layout.groups == ((len(lengths), width),)
    starts = [number * width for number in range(len(lengths))]
    assert_layout(layout, lengths, starts, len(lengths) * width)


@given(lengths=some_lengths)
def test_grouped(lengths):
    lengths = sorted(lengths, reverse=True)
    layout = lay_out_grouped(np.array(lengths))
    assert len(layout.groups) == min(GROUPS, len(lengths))
    counts = [rows.count for rows in layout.groups]
    assert max(counts) - min(counts) <= 1
    starts, first = [], 0
    for count, width in layout.groups:
        assert width == lengths[len(starts)], "as wide as the group's longest"
        starts += [first + number * width for number in range(count)]
        first += count * width
    assert_layout(layout, lengths, starts, first)


def test_grouped_sequences_come_in_falling_order():
    with pytest.raises(AssertionError):
        lay_out_grouped(np.array([2, 3]))


@given(lengths=some_lengths, kind=st.sampled_from(["packed", "grouped", "fixed"]))
def test_rows_and_back(lengths, kind):
    lengths = sorted(lengths, reverse=True)
    layout = LAYOUTS[kind](np.array(lengths))
    x = torch.arange(len(layout.real) * 6.0).view(-1, 2, 3).requires_grad_()
    rows = layout.to_rows(x)
    number = 0
    for group in rows:
        assert group.shape[1:] == (lengths[number] if kind == "grouped" else max(lengths), 2, 3)
        for row in group:
            own = layout.real & (layout.sequences == number)
            assert torch.equal(row[: lengths[number]], x[own])
            number += 1
    assert number == len(lengths)
    back = layout.from_rows(rows)
    assert torch.equal(back[layout.real], x[layout.real])
    back[layout.real].sum().backward()
    assert torch.equal(x.grad, layout.real[:, None, None].expand(-1, 2, 3).float())


def test_fixed_layouts_by_hand():
    layout = lay_out_fixed(torch.tensor([1, 3]), 3)
    assert layout.positions.tolist() == [0, 0, 0, 2, 1, 0]
    assert layout.real.tolist() == [True, False, False, True, True, True]
    assert layout.last_slots.tolist() == [0, 5]
