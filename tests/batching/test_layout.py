"""Layouts against counting slot by slot."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.batching.layout import Layout, lay_out, lay_out_dense

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

    spans = layout.spans
    assert spans.starts.tolist() == starts
    assert spans.lengths.tolist() == lengths
    pairs = [sum(range(length + 1)) for length in lengths]
    assert spans.triangles.tolist() == [sum(pairs[:number]) for number in range(len(lengths))]
    assert spans.pairs == sum(pairs)
    assert (spans.edges[0], spans.edges[-1]) == (0, len(lengths))


@given(lengths=some_lengths)
def test_sequences_lie_end_to_end(lengths):
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    layout = lay_out(np.array(lengths))
    assert layout.width is None
    assert_layout(layout, lengths, starts, sum(lengths))


@given(lengths=some_lengths, width=st.integers(7, 11))
def test_dense_layout(lengths, width):
    layout = lay_out_dense(torch.tensor(lengths), width)
    assert layout.width == width
    starts = [number * width for number in range(len(lengths))]
    assert_layout(layout, lengths, starts, len(lengths) * width)


@given(lengths=some_lengths, width=st.sampled_from([None, 7, 9]))
def test_rows_and_back(lengths, width):
    layout = (
        lay_out(np.array(lengths)) if width is None else lay_out_dense(torch.tensor(lengths), width)
    )
    x = torch.arange(len(layout.real) * 2.0).view(-1, 2).requires_grad_()
    rows = layout.to_rows(x)
    assert rows.shape == (len(lengths), width or max(lengths), 2)
    for number, row in enumerate(rows):
        own = layout.real & (layout.sequences == number)
        assert torch.equal(row[: lengths[number]], x[own])
    back = layout.from_rows(rows)
    assert torch.equal(back[layout.real], x[layout.real])
    back[layout.real].sum().backward()
    assert torch.equal(x.grad, layout.real[:, None].expand(-1, 2).float())


def test_many_long_sequences_are_shared_out_evenly(two_threads):
    spans = lay_out(np.array([40] * 50 + [10] * 40)).spans
    assert len(spans.edges) == 3
    assert spans.edges[1] == pytest.approx(29, abs=2)  # each of the long ones costs 5.6 short ones


def test_dense_layouts_by_hand():
    layout = lay_out_dense(torch.tensor([1, 3]), 3)
    assert layout.positions.tolist() == [0, 0, 0, 2, 1, 0]
    assert layout.real.tolist() == [True, False, False, True, True, True]
    assert layout.last_slots.tolist() == [0, 5]
