"""Attention against the plain formula: values, gradients, dropout, blocks and groups."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sasrec import attention
from sasrec.attention import Group, _blocks, _fused_attention, attend, attend_last
from sasrec.noise import Noise

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
GROUPS = {  # and into how many blocks the queries of each are cut
    "one row": ([(1, 7)], 1),
    "length 1": ([(3, 1)], 1),
    "several": ([(2, 5), (1, 3), (3, 2), (2, 1)], 1),
    "two query blocks": ([(3, 13), (1, 2)], 2),
    "three query blocks": ([(2, 11)], 3),
    "four query blocks": ([(1, 17), (2, 4)], 4),
}
every_head_count = pytest.mark.parametrize("num_heads", [1, 2, 3])


@pytest.fixture(params=GROUPS.values(), ids=GROUPS)
def groups(request, monkeypatch) -> list[Group]:
    groups, count = request.param

    def blocks(rows: int, length: int) -> list[tuple[int, int]]:
        return list(pairwise(length * part // count for part in range(count + 1)))

    monkeypatch.setattr(attention, "_blocks", blocks)
    return groups


class RecordedNoise(Noise):
    """Noise that remembers the masks it gave."""

    def __init__(self, rate: float, *seed: int) -> None:
        super().__init__(rate, *seed)
        self.masks: list[Tensor] = []

    def keep(self, *shape: int) -> Tensor:
        self.masks.append(super().keep(*shape))
        return self.masks[-1]


def inputs(groups: list[Group], size: int, count: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(17)
    slots = sum(rows * length for rows, length in groups)
    return [
        torch.randn(slots, size, generator=generator, dtype=torch.float64).requires_grad_()
        for _ in range(count)
    ]


def plain(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    groups: list[Group],
    num_heads: int,
    factors: list[Tensor] | None = None,
) -> Tensor:
    """The formula row by row and head by head; `factors` [R H, L, L] of each group scale A."""
    outputs, slot = [], 0
    for number, (rows, length) in enumerate(groups):
        for row in range(rows):
            span = slice(slot, slot + length)
            heads = zip(*(x[span].chunk(num_heads, 1) for x in (query, key, value)), strict=True)
            outputs.append([])
            for head, (q, k, v) in enumerate(heads):
                scores = q @ k.T / math.sqrt(q.shape[1])
                later = torch.ones(length, length).triu(1).bool()
                weights = scores.masked_fill(later, -math.inf).softmax(1)
                if factors:
                    weights = weights * factors[number][row * num_heads + head]
                outputs[-1].append(weights @ v)
            outputs[-1] = torch.cat(outputs[-1], 1)
            slot += length
    return torch.cat(outputs)


def assert_same_with_gradients(one: Tensor, other: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(one, other, **CLOSE)
    toward = torch.randn(one.shape, generator=torch.Generator().manual_seed(3), dtype=one.dtype)
    for mine, theirs in zip(
        torch.autograd.grad(one, leaves, toward),
        torch.autograd.grad(other, leaves, toward),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, **CLOSE)


@every_head_count
def test_values_and_gradients_are_the_formulas(groups, num_heads):
    leaves = inputs(groups, size=6)
    attended = attend(*leaves, groups=groups, num_heads=num_heads, noise=None)
    assert_same_with_gradients(attended, plain(*leaves, groups, num_heads), leaves)


@every_head_count
def test_dropout_drops_weights_by_the_mask(groups, num_heads):
    leaves = inputs(groups, size=6)
    noise = RecordedNoise(0.2, 5)
    attended = attend(*leaves, groups=groups, num_heads=num_heads, noise=noise)
    factors, masks = [], iter(noise.masks)
    for rows, length in groups:
        factor, stop = torch.zeros(rows * num_heads, length, length, dtype=torch.float64), 0
        while stop < length:  # blocks of queries, each with the keys up to its own end
            mask = next(masks)
            start, stop = stop, stop + mask.shape[1]
            factor[:, start:stop, : mask.shape[2]] = mask.double() * noise.scale
        factors.append(factor)
    assert next(masks, None) is None
    assert_same_with_gradients(attended, plain(*leaves, groups, num_heads, factors), leaves)


@given(rows=st.integers(1, 300), length=st.integers(1, 500))
def test_query_blocks_cover_a_row(rows, length):
    starts, stops = zip(*_blocks(rows, length), strict=True)
    assert (starts[0], stops[-1]) == (0, length)
    assert starts[1:] == stops[:-1]
    assert all(start < stop for start, stop in _blocks(rows, length))


def test_long_rows_are_cut_into_query_blocks():
    groups = [(17, 193), (1, 7)]
    assert [len(_blocks(*group)) for group in groups] == [4, 1]
    leaves = inputs(groups, size=6)
    attended = attend(*leaves, groups=groups, num_heads=2, noise=None)
    assert_same_with_gradients(attended, plain(*leaves, groups, 2), leaves)


@every_head_count
def test_the_fused_path_agrees(groups, num_heads):
    leaves = inputs(groups, size=6)
    assert_same_with_gradients(
        _fused_attention(*leaves, groups, num_heads, None),
        attend(*leaves, groups=groups, num_heads=num_heads, noise=None),
        leaves,
    )


@every_head_count
def test_the_last_position_alone_gives_the_same(groups, num_heads):
    query, key, value = inputs(groups, size=6)
    lengths = [max(1, length - row) for rows, length in groups for row in range(rows)]
    last = torch.tensor(lengths) - 1
    widths = torch.tensor([length for rows, length in groups for _ in range(rows)])
    slots = widths.cumsum(0) - widths + last
    whole = attend(query, key, value, groups=groups, num_heads=num_heads, noise=None)
    alone = attend_last(query[slots], key, value, groups=groups, last=last, num_heads=num_heads)
    torch.testing.assert_close(alone, whole[slots], **CLOSE)


@pytest.mark.parametrize("path", ["grouped", "fused"])
def test_dropout_at_the_first_position_is_all_or_nothing(path):
    # A first position attends to itself with weight 1: it is dropped, or doubled at rate 1/2.
    groups, noise = [(1009, 1)], Noise(0.5, 7)
    ones = torch.ones(1009, 2)
    torch.manual_seed(7)
    if path == "fused":
        attended = _fused_attention(ones, ones, ones, groups, 1, noise)
    else:
        attended = attend(ones, ones, ones, groups=groups, num_heads=1, noise=noise)
    first = attended[:, 0]
    assert set(first.tolist()) == {0.0, 2.0}
    assert abs((first == 0).sum().item() - 504.5) < 5 * math.sqrt(1009 / 4)


def test_scores_far_apart_neither_overflow_nor_vanish():
    query = torch.tensor([[1.0], [1000.0]], requires_grad=True)
    key = torch.tensor([[1.0], [-1000.0]])
    value = torch.tensor([[3.0], [5.0]])
    attended = attend(query, key, value, groups=[(1, 2)], num_heads=1, noise=None)
    attended.sum().backward()
    assert attended.tolist() == [[3.0], [3.0]]
    assert query.grad.tolist() == [[0.0], [0.0]]


def test_groups_must_cover_the_slots():
    with pytest.raises(AssertionError, match=r"\(2, 3\)"):
        attend(*inputs([(1, 7)], 2), groups=[(2, 3)], num_heads=1, noise=None)
