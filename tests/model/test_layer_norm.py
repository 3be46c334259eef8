"""Layer norm against torch's own."""

import pytest
import torch
from gradient_checks import (
    assert_adds_to_gradients,
    assert_plain_in_bfloat16,
    assert_same_in_inference,
    assert_same_with_gradients,
    nodes_behind,
    randoms,
)
from torch import Tensor
from torch.nn import functional

from sasrec.model.layer_norm import LayerNorm

SIZE, NODE = 6, "_LayerNormBackward"


def normed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    norm = LayerNorm(SIZE)
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias
    return norm(x)


def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return functional.layer_norm(x, (SIZE,), weight, bias, 1e-8)


def inputs(slots: int = 11, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return randoms((slots, SIZE), (SIZE,), (SIZE,), dtype=dtype)


def test_values_and_gradients_are_torchs():
    leaves = inputs()
    result = normed(*leaves)
    assert NODE in nodes_behind(result)
    assert_same_with_gradients(result, plain(*leaves), leaves)


def test_shared_by_threads(two_threads):
    leaves = inputs(3001)
    assert_same_with_gradients(normed(*leaves), plain(*leaves), leaves)


def test_an_input_of_any_order_in_memory():
    x, weight, bias = inputs()
    turned = x.detach().t().contiguous().t().requires_grad_()
    leaves = [turned, weight, bias]
    assert_same_with_gradients(normed(*leaves), plain(*leaves), leaves)


def test_equal_entries_are_no_division_by_zero():
    _, weight, bias = inputs()
    x = torch.full((2, SIZE), 3.0, dtype=torch.float64)
    torch.testing.assert_close(normed(x, weight, bias), bias.expand(2, -1))


def test_gradients_add_to_those_that_are_there():
    assert_adds_to_gradients(normed, plain, inputs())


def test_inference_mode():
    assert_same_in_inference(normed, inputs())


def test_mixed_precision_takes_the_plain_path():
    x, weight, bias = inputs(dtype=torch.float32)
    near = (x.detach() * 0.3).requires_grad_()

    def of(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        # Autocast leaves a layer norm as it is; what it is of is rounded.
        return normed(x @ torch.eye(SIZE), weight, bias)

    assert_plain_in_bfloat16(of, [near, weight, bias], NODE)


@pytest.mark.parametrize("row", [0, 5])
def test_what_is_not_a_number_shows(row):
    x, weight, bias = inputs()
    with torch.no_grad():
        x[row, 2] = torch.nan
    result = normed(x, weight, bias)
    assert result[row].isnan().all()
    assert result[[other for other in range(11) if other != row]].isfinite().all()
