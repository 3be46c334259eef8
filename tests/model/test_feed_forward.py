"""Dropout in each feed-forward layer, beside its formula, which test_model.py holds."""

import pytest
import torch
from gradient_checks import RecordedDropout, assert_same_with_gradients, randoms
from toys import toy_config

from sasrec.model.dropout import Dropout
from sasrec.model.feed_forward import ReluFeedForward
from sasrec.model.tables import FEED_FORWARDS

LAYERS = [name for name, layer in FEED_FORWARDS.items() if layer]


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_units_are_dropped_inside_and_after(rate):
    dropout = RecordedDropout(rate, 5)
    layer = ReluFeedForward(toy_config(), dropout).double()
    (x,) = randoms((11, 6))
    result = layer(x)
    keep1, keep2 = (factor.view(11, 6) for factor in dropout.factors)
    hidden = (x @ layer.inner.weight.T + layer.inner.bias).clamp(min=0) * keep1
    expected = (hidden @ layer.outer.weight.T + layer.outer.bias) * keep2
    assert_same_with_gradients(result, expected, [x, *layer.parameters()])


@pytest.mark.parametrize("name", LAYERS)
def test_a_position_changes_itself_alone(name):
    layer = FEED_FORWARDS[name](toy_config(), Dropout(0.0, 1)).double()
    (x,) = randoms((5, 6))
    changed = x.detach().clone()
    changed[2] += 1
    differs = (layer(x) != layer(changed)).any(1)
    assert differs.tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_reaches_every_unit_of_the_result(name):
    layer = FEED_FORWARDS[name](toy_config(), Dropout(0.5, 1))
    dropped = sum(layer(torch.ones(101, 6)) == 0 for _ in range(20))
    assert (dropped.sum(0) > 0).all()
