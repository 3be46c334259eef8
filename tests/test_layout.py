"""Packing and layouts against counting slot by slot."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import LAYOUTS, ROWS, toy_layout

from sasrec import layout
from sasrec.layout import Group, Layout, Packing, lay_out, lay_out_dense, pack, slots_of

SQUARE, GROUP = 0.01, 29  # of the cost of a group, whatever was measured last
some_lengths = st.one_of(
    st.lists(st.integers(1, 300), min_size=1, max_size=60),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),  # many alike
    st.lists(st.sampled_from([10, 20, 40, 80]), min_size=1, max_size=20),  # halves of each other
)


@pytest.fixture(autouse=True, scope="module")
def costs() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "SQUARE", SQUARE)
        patch.setattr(layout, "GROUP", GROUP)
        patch.setattr(layout, "MASK", 0)
        yield


def rows_of(packing: Packing, lengths: np.ndarray) -> list[list[list[tuple[int, int]]]]:
    """(first column, length) of the sequences of each row of each group."""
    first, rows = 0, []
    for group in packing.groups:
        rows.append([[] for _ in range(group.rows)])
        for start, length in zip(packing.starts, lengths[packing.order], strict=True):
            if first <= start < first + group.slots:
                row, column = divmod(int(start) - first, group.width)
                rows[-1][row].append((column, int(length)))
        first += group.slots
    return rows


@given(lengths=some_lengths)
def test_every_sequence_lies_whole_in_a_row_of_its_own_place(lengths):
    lengths = np.array(lengths)
    packing = pack(lengths)
    assert sorted(packing.order) == list(range(len(lengths)))
    assert all(one < next_ for one, next_ in pairwise(packing.starts))
    rows = rows_of(packing, lengths)
    assert sum(len(row) for group in rows for row in group) == len(lengths)
    for group, its_rows in zip(packing.groups, rows, strict=True):
        for row in its_rows:
            assert row[0][0] == 0, "a row begins with a sequence"
            assert all(at + length == next_ for (at, length), (next_, _) in pairwise(row))
            assert row[-1][0] + row[-1][1] <= group.width


@given(lengths=some_lengths)
def test_a_group_is_as_wide_as_its_longest_and_knows_its_fullest_row(lengths):
    lengths = np.array(lengths)
    packing = pack(lengths)
    rows = rows_of(packing, lengths)
    assert 1 <= len(packing.groups) <= 2
    for group, its_rows in zip(packing.groups, rows, strict=True):
        assert group.width == max(length for row in its_rows for _, length in row)
        assert group.most == max(map(len, its_rows))
        assert group.slots == group.rows * group.width
    if len(rows) == 2:  # the first holds the longest
        first, second = ([length for row in part for _, length in row] for part in rows)
        assert min(first) >= max(second)


def first_fit(lengths: list[int], width: int) -> list[list[int]]:
    """Each of the falling `lengths` goes into the first row that has room."""
    rows: list[list[int]] = []
    for length in lengths:
        for row in rows:
            if sum(row) + length <= width:
                row.append(length)
                break
        else:
            rows.append([length])
    return rows


@given(lengths=some_lengths)
def test_rows_are_filled_first_fit_from_long_to_short(lengths):
    lengths = np.array(lengths)
    packing = pack(lengths)
    for group, rows in zip(packing.groups, rows_of(packing, lengths), strict=True):
        held = [[length for _, length in row] for row in rows]
        falling = sorted((length for row in held for length in row), reverse=True)
        assert held == first_fit(falling, group.width)


def cost(lengths: list[int], width: int, group: int) -> float:
    """Of one group: as many rows as positions fill, or as sequences longer than half a row."""
    rows = max(math.ceil(sum(lengths) / width), sum(2 * length > width for length in lengths))
    return rows * (width + SQUARE * width**2) + group


@given(lengths=some_lengths, group=st.sampled_from([1, 5, GROUP, 150]))
def test_no_other_cut_costs_less(lengths, group):
    lengths.sort(reverse=True)
    costs = [cost(lengths, lengths[0], group)]
    costs += [
        cost(lengths[:cut], lengths[0], group) + cost(lengths[cut:], lengths[cut], group)
        for cut in range(1, len(lengths))
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "GROUP", group)
        chosen = layout._cheapest_cut(np.array(lengths))
        packing = pack(np.array(lengths))
    assert costs[chosen] == pytest.approx(min(costs), rel=1e-12)
    assert len(packing.groups) == (2 if chosen else 1)
    assert packing.groups[0].width == lengths[0]
    assert packing.groups[-1].width == lengths[chosen]


@given(lengths=some_lengths)
def test_first_rows_of_one_sequence_may_be_a_group(lengths):
    lengths = np.array(lengths)
    together = pack(lengths)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "MASK", 1e9)
        apart = pack(lengths)
    assert apart.order.tolist() == together.order.tolist()
    assert apart.starts.tolist() == together.starts.tolist()
    expected = []
    for group, rows in zip(together.groups, rows_of(together, lengths), strict=True):
        alone = next((at for at, row in enumerate(rows) if len(row) > 1), group.rows)
        if 0 < alone < group.rows:
            expected += [Group(alone, group.width, 1), group._replace(rows=group.rows - alone)]
        else:
            expected.append(group)
    assert apart.groups == tuple(expected)


def test_rows_of_one_sequence_are_a_group_when_that_saves_more_than_it_costs():
    # 40 rows of 100: the masks of 30 rows cost 300 or 3, a group 29.
    lengths = np.array([100] * 30 + [50] * 20)
    for mask, groups in (
        (0.001, (Group(30, 100, 1), Group(10, 100, 2))),
        (1e-5, (Group(40, 100, 2),)),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layout, "MASK", mask)
            patch.setattr(layout, "SQUARE", 0)
            assert pack(lengths).groups == groups


def test_packing_by_hand():
    # A row of 50 costs 50 + 25, of 40 40 + 16. Together 75 + 75 + 29; apart 75 + 29 + 56 + 29.
    packing = pack(np.array([40, 50]))
    assert packing.groups == (Group(2, 50, 1),)
    assert packing.order.tolist() == [1, 0]
    assert packing.starts.tolist() == [0, 50]
    # With two of 40: together 3 x 75 + 29 = 254; apart 75 + 29 + 2 x 56 + 29 = 245.
    assert pack(np.array([40, 50, 40])).groups == (Group(1, 50, 1), Group(2, 40, 1))
    # 7 + 1 + 1 and 5 + 4 fill two rows of 9: 9 itself has a row alone.
    packing = pack(np.array([1, 4, 9, 7, 1, 5]))
    assert packing.groups == (Group(3, 9, 3),)
    assert packing.order.tolist() == [2, 3, 0, 4, 5, 1]
    assert packing.starts.tolist() == [0, 9, 16, 17, 18, 23]
    assert pack(np.array([3])).groups == (Group(1, 3, 1),)


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    gaps=st.lists(st.integers(0, 5), min_size=9, max_size=9),
)
def test_slots_of_sequences_are_those_from_each_start_on(lengths, gaps):
    starts = [sum(lengths[:i]) + sum(gaps[: i + 1]) for i in range(len(lengths))]
    expected = [
        start + i for start, length in zip(starts, lengths, strict=True) for i in range(length)
    ]
    assert slots_of(np.array(lengths), np.array(starts)).tolist() == expected


def assert_layout(result: Layout, lengths: list[int], starts: list[int]) -> None:
    """Every slot is what counting sequence by sequence from `starts` gives."""
    total = sum(group.slots for group in result.groups)
    owner, later = [-1] * total, [0] * total
    for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        for column in range(length):
            assert owner[start + column] == -1, "two sequences in one slot"
            owner[start + column], later[start + column] = number, length - 1 - column
    assert result.lengths.tolist() == lengths
    ends = [start + length - 1 for start, length in zip(starts, lengths, strict=True)]
    assert result.last_slots.tolist() == ends
    assert result.real.tolist() == [number >= 0 for number in owner]
    assert result.positions.tolist() == later
    owned = result.sequences.tolist()
    assert all(0 <= number < len(lengths) for number in owned)
    assert all(mine in (number, -1) for number, mine in zip(owned, owner, strict=True))
    assert torch.cat([part.reshape(-1) for part in result.owners]).tolist() == owner
    assert [part.shape for part in result.owners] == [(g.rows, g.width) for g in result.groups]
    for tensor in (result.lengths, result.last_slots, result.sequences, result.positions):
        assert tensor.dtype == torch.int64
    assert_masks(result, owner)


def assert_masks(result: Layout, owner: list[int]) -> None:
    """A real position sees the earlier ones of its sequence and itself; padding sees something."""
    first = 0
    for group, mask in zip(result.groups, result.masks, strict=True):
        assert mask.dtype == torch.float32
        assert mask.ndim == (2 if group.most == 1 else 3)
        for row, seen in enumerate(mask.expand(group.rows, -1, -1).tolist()):
            owners = owner[first + row * group.width :][: group.width]
            for query, mine in enumerate(owners):
                if mine == -1:
                    assert 0 in seen[query]
                    continue
                expected = [
                    0 if key <= query and other == mine else -math.inf
                    for key, other in enumerate(owners)
                ]
                assert seen[query] == expected
        first += group.slots


@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_packed_layout(lengths):
    packing = pack(np.array(lengths))
    lengths = np.array(lengths)[packing.order]
    result = lay_out(lengths, packing)
    assert result.groups == packing.groups
    assert_layout(result, lengths.tolist(), packing.starts.tolist())


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=9), width=st.integers(7, 11))
def test_dense_layout_in_any_order(lengths, width):
    result = lay_out_dense(torch.tensor(lengths), width)
    assert result.groups == (Group(len(lengths), width, 1),)
    assert_layout(result, lengths, [width * row for row in range(len(lengths))])


@pytest.mark.parametrize("spec", LAYOUTS.values(), ids=LAYOUTS)
def test_toy_layouts_are_layouts(spec):
    lengths = [len(row) for row in ROWS]
    result = toy_layout(lengths, spec)
    starts = [last + 1 - length for last, length in zip(result.last_slots, lengths, strict=True)]
    assert_layout(result, lengths, [int(start) for start in starts])
