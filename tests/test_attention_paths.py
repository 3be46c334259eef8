"""The other ways to attention's result: torch's fused kernel, and the latest positions alone."""

import math

import numpy as np
import pytest
import torch
from gradient_checks import CLOSE, assert_same_with_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from toy_attention import attended, inputs, plain, projections_of
from toys import LAYOUTS, ROWS, toy_layout

from sasrec import layout as packed
from sasrec.attention import Projections, _fused_attention, attend
from sasrec.last_attention import attend_last
from sasrec.layout import Layout, lay_out, pack
from sasrec.noise import Noise

LENGTHS = [len(row) for row in ROWS]
every_head_count = pytest.mark.parametrize("num_heads", [1, 2, 3, 6])


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def layout(request) -> Layout:
    return toy_layout(LENGTHS, request.param)


def latest(layout: Layout, leaves: list[Tensor], num_heads: int) -> Tensor:
    x, context, *weights = leaves
    projections = projections_of(weights)
    return attend_last(x[layout.last_slots], context, projections, layout, num_heads=num_heads)


@settings(max_examples=50)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=12), mask=st.sampled_from([0, 100])
)
def test_any_packing(lengths, mask):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "MASK", mask)  # whether rows of one sequence are a group
        packing = pack(np.array(lengths))
    layout = lay_out(np.array(lengths)[packing.order], packing)
    leaves = inputs(layout)
    expected = plain(layout, leaves, 2)
    torch.testing.assert_close(attended(layout, leaves, 2, None), expected, **CLOSE)
    ends = layout.lengths.cumsum(0) - 1
    torch.testing.assert_close(latest(layout, leaves, 2), expected[ends], **CLOSE)


@every_head_count
def test_the_fused_path_agrees(layout, num_heads):
    leaves = inputs(layout)
    x, context, *weights = leaves
    query, key, value = (
        linear(one)
        for linear, one in zip(projections_of(weights), (x, context, context), strict=True)
    )
    fused = _fused_attention(query, key, value, layout, num_heads, None)[layout.real]
    assert_same_with_gradients(fused, plain(layout, leaves, num_heads), leaves)


@every_head_count
def test_the_latest_positions_alone_give_the_same(layout, num_heads):
    leaves = inputs(layout)
    ends = layout.lengths.cumsum(0) - 1
    expected = plain(layout, leaves, num_heads)[ends]
    torch.testing.assert_close(latest(layout, leaves, num_heads), expected, **CLOSE)


@pytest.mark.parametrize("path", ["packed", "fused"])
def test_dropout_at_the_first_position_is_all_or_nothing(path):
    # A first position attends to itself with weight 1: it is dropped, or doubled at rate 1/2.
    layout, noise = toy_layout([1] * 1009), Noise(0.5, 7)
    torch.manual_seed(7)
    ones = torch.ones(1009, 2)
    if path == "fused":
        result = _fused_attention(ones, ones, ones, layout, 1, noise)
    else:
        same = nn.Linear(2, 2)
        nn.init.eye_(same.weight)
        nn.init.zeros_(same.bias)
        projections = Projections(same, same, same)
        result = attend(ones, ones, projections, layout, num_heads=1, noise=noise)
    first = result[:, 0]
    assert set(first.tolist()) == {0.0, 2.0}
    assert abs((first == 0).sum().item() - 504.5) < 5 * math.sqrt(1009 / 4)


def test_scores_far_apart_neither_overflow_nor_vanish():
    x = torch.tensor([[1.0], [1000.0]], requires_grad=True)
    context = torch.tensor([[1.0], [-1000.0]])
    query, key, value = (nn.Linear(1, 1) for _ in range(3))
    with torch.no_grad():
        for linear, weight in ((query, 1.0), (key, 1.0), (value, 2.0)):
            linear.weight.fill_(weight)
            linear.bias.zero_()
    projections = Projections(query, key, value)
    result = attend(x, context, projections, toy_layout([2]), num_heads=1, noise=None)
    result.sum().backward()
    assert result.tolist() == [[2.0], [2.0]]
    assert x.grad.tolist() == [[0.0], [0.0]]
