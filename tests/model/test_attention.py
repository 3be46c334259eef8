"""Attention by torch's fused kernel, and of the latest positions alone, against the formula."""

import math

import pytest
import torch
from gradient_checks import CLOSE, assert_same_with_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_attention import inputs, plain_from, projections_of
from toys import LAYOUTS, ROWS, toy_layout

from sasrec.batching.layout import Layout
from sasrec.model.attention import Projections, attend
from sasrec.model.last_attention import attend_last
from sasrec.model.noise import Noise

LENGTHS = [len(row) for row in ROWS]
every_head_count = pytest.mark.parametrize("num_heads", [1, 2, 3, 6])


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def layout(request) -> Layout:
    return toy_layout(LENGTHS, request.param)


def attended(layout: Layout, leaves: list[Tensor], num_heads: int, noise: Noise | None) -> Tensor:
    """The real positions of `attend`."""
    x, context, *weights = leaves
    result = attend(x, context, projections_of(weights), layout, num_heads=num_heads, noise=noise)
    assert result.isfinite().all()
    return result[layout.real]


def latest(layout: Layout, leaves: list[Tensor], num_heads: int) -> Tensor:
    x, context, *weights = leaves
    projections = projections_of(weights)
    return attend_last(x[layout.last_slots], context, projections, layout, num_heads=num_heads)


@every_head_count
def test_values_and_gradients_are_the_formulas(layout, num_heads):
    leaves = inputs(layout)
    assert_same_with_gradients(
        attended(layout, leaves, num_heads, None), plain_from(layout, leaves, num_heads), leaves
    )


@every_head_count
def test_the_latest_positions_alone_give_the_same(layout, num_heads):
    leaves = inputs(layout)
    ends = layout.lengths.cumsum(0) - 1
    expected = plain_from(layout, leaves, num_heads)[ends]
    torch.testing.assert_close(latest(layout, leaves, num_heads), expected, **CLOSE)


@settings(max_examples=50)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12))
def test_any_lengths(lengths):
    layout = toy_layout(lengths)
    leaves = inputs(layout)
    expected = plain_from(layout, leaves, 2)
    torch.testing.assert_close(attended(layout, leaves, 2, None), expected, **CLOSE)
    ends = layout.lengths.cumsum(0) - 1
    torch.testing.assert_close(latest(layout, leaves, 2), expected[ends], **CLOSE)


def test_dropout_at_the_first_position_is_all_or_nothing():
    # A first position attends to itself with weight 1: it is dropped, or doubled at rate 1/2.
    torch.manual_seed(7)
    same = nn.Linear(2, 2)
    nn.init.eye_(same.weight)
    nn.init.zeros_(same.bias)
    result = attend(
        *(torch.ones(1009, 2), torch.ones(1009, 2), Projections(same, same, same)),
        toy_layout([1] * 1009),
        num_heads=1,
        noise=Noise(0.5, 7),
    )
    first = result[:, 0]
    assert set(first.tolist()) == {0.0, 2.0}
    assert abs((first == 0).sum().item() - 504.5) < 5 * math.sqrt(1009 / 4)


def test_the_layout_must_cover_the_slots():
    x, context, *weights = inputs(toy_layout([7]))
    with pytest.raises(AssertionError, match=r"tensor\(\[3, 2\]\)"):
        attend(x, context, projections_of(weights), toy_layout([3, 2]), num_heads=1, noise=None)
