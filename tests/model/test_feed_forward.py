"""The feed-forward layer against its formula."""

import pytest
import torch
from gradient_checks import RecordedNoise, assert_same_with_gradients, randoms
from torch import Tensor, nn

from sasrec.model.feed_forward import feed_forward
from sasrec.model.noise import Noise

SLOTS, SIZE, INNER = 11, 5, 7  # the model has as many inside, the formula may have more


def layer(x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, noise: Noise | None) -> Tensor:
    linears = []
    for weight, bias in ((w1, b1), (w2, b2)):
        linear = nn.Linear(1, 1)
        del linear.weight, linear.bias
        linear.weight, linear.bias = weight, bias
        linears.append(linear)
    return feed_forward(x, *linears, noise)


@pytest.mark.parametrize("rate", [None, 0.2, 0.5, 0.9])
def test_values_and_gradients_are_the_formulas(rate):
    shapes = ((SLOTS, SIZE), (INNER, SIZE), (INNER,), (SIZE, INNER), (SIZE,))
    leaves, noise = randoms(*shapes), rate and RecordedNoise(rate, 5)
    result = layer(*leaves, noise)
    keep1, keep2 = (factor.view(SLOTS, -1) for factor in noise.factors) if noise else (1, 1)
    x, w1, b1, w2, b2 = leaves
    hidden = (x @ w1.T + b1).clamp(min=0) * keep1
    assert_same_with_gradients(result, (hidden @ w2.T + b2) * keep2, leaves)


def test_a_unit_at_zero_passes_no_gradient():
    # Of three units at 0, under it and over it only the last hands its gradient on.
    x = torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
    w1, b1 = torch.ones(3, 1, dtype=torch.float64), torch.tensor([0.0, -1, 1]).double()
    w2, b2 = torch.tensor([[1.0, 10, 100]]).double(), torch.zeros(1, dtype=torch.float64)
    layer(x, w1, b1, w2, b2, Noise(0.0, 1)).backward()
    assert x.grad.item() == 100
