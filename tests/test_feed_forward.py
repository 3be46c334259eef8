"""The feed-forward layer against its plain formula."""

import pytest
import torch
from gradient_checks import (
    RecordedNoise,
    assert_adds_to_gradients,
    assert_plain_in_bfloat16,
    assert_same_in_inference,
    assert_same_with_gradients,
    nodes_behind,
    randoms,
)
from torch import Tensor, nn

from sasrec import feed_forward as module
from sasrec.feed_forward import feed_forward
from sasrec.noise import Noise

SLOTS, SIZE, INNER = 11, 5, 7  # the model has as many inside, the formula may have more
NODE = "_FeedForwardBackward"


def inputs(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """x, W1, b1, W2, b2."""
    shapes = ((SLOTS, SIZE), (INNER, SIZE), (INNER,), (SIZE, INNER), (SIZE,))
    return randoms(*shapes, dtype=dtype)


def layer(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, noise: Noise | None) -> Tensor:
    linears = []
    for weight, bias in ((w1, b1), (w2, b2)):
        linear = nn.Linear(1, 1)
        del linear.weight, linear.bias
        linear.weight, linear.bias = weight, bias
        linears.append(linear)
    return feed_forward(x, *linears, noise)


def plain(leaves: list[Tensor], keep1: Tensor | float = 1.0, keep2: Tensor | float = 1.0) -> Tensor:
    x, w1, b1, w2, b2 = leaves
    hidden = (x @ w1.T + b1).clamp(min=0) * keep1
    return (hidden @ w2.T + b2) * keep2


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_values_and_gradients_are_the_formulas_with_dropout(rate):
    leaves, noise = inputs(), RecordedNoise(rate, 5)
    result = layer(*leaves, noise)
    assert NODE in nodes_behind(result)
    assert [mask.shape for mask in noise.masks] == [(SLOTS, INNER), (SLOTS, SIZE)]
    keep1, keep2 = (mask.double() for mask in noise.masks)
    assert_same_with_gradients(result, plain(leaves, keep1, keep2), leaves)


def test_without_noise_nothing_is_dropped():
    leaves = inputs()
    assert_same_with_gradients(layer(*leaves, None), plain(leaves), leaves)


def test_the_plain_path_drops_by_the_same_masks(monkeypatch):
    leaves = inputs()
    by_hand = layer(*leaves, Noise(0.5, 5))
    monkeypatch.setattr(module, "by_hand", lambda x: False)
    result = layer(*leaves, Noise(0.5, 5))
    assert NODE not in nodes_behind(result)
    assert_same_with_gradients(by_hand, result, leaves)


def test_a_unit_at_zero_passes_no_gradient():
    # Of three units at 0, under it and over it only the last hands its gradient on.
    x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    w1, b1 = torch.ones(3, 1, dtype=torch.float64), torch.tensor([0.0, -1, 1]).double()
    w2, b2 = torch.tensor([[1.0, 10, 100]]).double(), torch.zeros(1, dtype=torch.float64)
    layer(x, w1, b1, w2, b2, Noise(0.0, 1)).backward()
    assert x.grad.item() == 100


def test_gradients_add_to_those_that_are_there():
    noise = RecordedNoise(0.5, 5)

    def mine(*leaves: Tensor) -> Tensor:
        noise.masks.clear()
        return layer(*leaves, noise)

    def theirs(*leaves: Tensor) -> Tensor:
        return plain(leaves, *(mask.double() for mask in noise.masks))

    assert_adds_to_gradients(mine, theirs, inputs())


def test_mixed_precision_takes_the_plain_path():
    leaves = inputs(torch.float32)
    assert_plain_in_bfloat16(lambda *leaves: layer(*leaves, Noise(0.5, 5)), leaves, NODE)


@pytest.mark.parametrize("rate", [None, 0.5])
def test_inference_mode(rate):
    leaves = inputs()
    assert_same_in_inference(lambda *leaves: layer(*leaves, rate and Noise(rate, 5)), leaves)
