"""Attention against the plain formula: values, gradients, dropout, blocks of queries, layouts."""

from itertools import pairwise

import pytest
import torch
from gradient_checks import (
    CLOSE,
    RecordedNoise,
    assert_adds_to_gradients,
    assert_plain_in_bfloat16,
    assert_same_in_inference,
    assert_same_with_gradients,
)
from hypothesis import given
from hypothesis import strategies as st
from toy_attention import SIZE, attended, factors_of, inputs, plain, projections_of
from toys import LAYOUTS, ROWS, toy_layout

from sasrec import packed_attention
from sasrec.attention import attend
from sasrec.layout import Group, Layout
from sasrec.packed_attention import _blocks

LENGTHS = [len(row) for row in ROWS]
NODE = "PackedAttentionBackward"
every_head_count = pytest.mark.parametrize("num_heads", [1, 2, 3, 6])


@pytest.fixture(params=LAYOUTS.values(), ids=LAYOUTS)
def layout(request) -> Layout:
    return toy_layout(LENGTHS, request.param)


@pytest.fixture(params=[1, 2, 3, 4])
def blocks(request, monkeypatch) -> None:
    """However small a group, its queries are taken in so many blocks."""

    def cut(group: Group) -> list[tuple[int, int]]:
        return list(
            pairwise(group.width * part // request.param for part in range(request.param + 1))
        )

    monkeypatch.setattr(packed_attention, "_blocks", cut)


@every_head_count
def test_values_and_gradients_are_the_formulas(layout, blocks, num_heads):
    leaves = inputs(layout)
    assert_same_with_gradients(
        attended(layout, leaves, num_heads, None), plain(layout, leaves, num_heads), leaves
    )


@every_head_count
def test_dropout_drops_weights_by_the_mask(layout, blocks, num_heads):
    leaves, noise = inputs(layout), RecordedNoise(0.2, 5)
    result = attended(layout, leaves, num_heads, noise)
    factors = factors_of(noise.masks, layout, num_heads)
    assert_same_with_gradients(result, plain(layout, leaves, num_heads, factors), leaves)


def test_queries_and_keys_may_come_from_one_tensor(layout):
    x, _, *weights = inputs(layout)
    leaves = [x, *weights]
    assert_same_with_gradients(
        attended(layout, [x, x, *weights], 2, None), plain(layout, [x, x, *weights], 2), leaves
    )


@every_head_count
def test_gradients_add_to_those_that_are_there(layout, num_heads):
    assert_adds_to_gradients(
        lambda *leaves: attended(layout, leaves, num_heads, None),
        lambda *leaves: plain(layout, leaves, num_heads),
        inputs(layout),
    )


@every_head_count
def test_a_gradient_may_come_in_any_order_in_memory(layout, num_heads):
    leaves = inputs(layout)
    x, context, *weights = leaves
    projections = projections_of(weights)
    result = attend(x, context, projections, layout, num_heads=num_heads, noise=None)
    toward = torch.randn(SIZE, len(x), dtype=x.dtype).mul_(layout.real).T
    expected = plain(layout, leaves, num_heads)
    for mine, theirs in zip(
        torch.autograd.grad(result, leaves, toward),
        torch.autograd.grad(expected, leaves, toward[layout.real]),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, **CLOSE)


@every_head_count
def test_the_keys_bias_neither_counts_nor_learns(layout, num_heads):
    leaves = inputs(layout)
    result = attended(layout, leaves, num_heads, None)
    result.sum().backward()
    assert leaves[5].grad.tolist() == [0.0] * SIZE  # not rounding noise, which Adam would scale up
    leaves[5] = leaves[5] + 1
    assert torch.equal(attended(layout, leaves, num_heads, None), result)


def test_backward_frees_the_attention_weights():
    layout = toy_layout(LENGTHS)
    x, context, *weights = inputs(layout)
    result = attend(x, context, projections_of(weights), layout, num_heads=1, noise=None)
    assert result.grad_fn.weights
    result.sum().backward()
    assert not result.grad_fn.weights


@every_head_count
def test_mixed_precision_takes_the_fused_path(layout, num_heads):
    leaves = inputs(layout, torch.float32)
    with torch.no_grad():
        for leaf in leaves:
            leaf.mul_(0.3)  # softer weights, so that rounding does not decide
    assert_plain_in_bfloat16(
        lambda *leaves: attended(layout, leaves, num_heads, None), leaves, NODE
    )


@every_head_count
def test_inference_mode(layout, num_heads):
    leaves = inputs(layout)
    assert_same_in_inference(lambda *leaves: attended(layout, leaves, num_heads, None), leaves)


@given(rows=st.integers(1, 300), width=st.integers(1, 500))
def test_query_blocks_cover_a_row(rows, width):
    starts, stops = zip(*_blocks(Group(rows, width, 1)), strict=True)
    assert (starts[0], stops[-1]) == (0, width)
    assert starts[1:] == stops[:-1]
    assert all(start < stop for start, stop in zip(starts, stops, strict=True))


def test_long_rows_are_cut_into_query_blocks():
    layout = toy_layout([97, 96, 193] + [193] * 3 + [7], [(193, [2, 1, 1, 1, 1]), (7, [1])])
    assert [len(_blocks(group)) for group in layout.groups] == [3, 1]
    leaves = inputs(layout)
    assert_same_with_gradients(attended(layout, leaves, 2, None), plain(layout, leaves, 2), leaves)


def test_the_layout_must_cover_the_slots():
    x, context, *weights = inputs(toy_layout([7]))
    with pytest.raises(AssertionError, match=r"rows=2, width=3"):
        attend(x, context, projections_of(weights), toy_layout([3, 2]), num_heads=1, noise=None)
