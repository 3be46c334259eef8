"""Gradients of the whole model are right, in every row of its tables.

They are the slope of its loop-written restatement: every weight is moved a little along a random
direction, and what the restatement's loss gains is what the gradients say.
"""

import numpy as np
import pytest
import reference
from toy_losses import loss_of, negatives_of, targets_of
from toys import EVERY_ROW, OPTIONS, ROWS, toy_batch, toy_config, toy_model

from sasrec.model.config import ModelConfig


def reference_loss(weights: reference.Weights, config: ModelConfig) -> float:
    total = 0.0
    for items in ROWS:
        states = reference.states(weights, items, config)
        total += reference.loss(*(weights, states, targets_of(items), negatives_of(items), config))
    return total / sum(map(len, ROWS))


@pytest.mark.parametrize("row", EVERY_ROW.values(), ids=EVERY_ROW)
@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_gradients_are_the_slope_of_the_formulas(row, option):
    config = toy_config(**option | row)
    model = toy_model(config)
    loss = loss_of(model, toy_batch(ROWS, "grouped"))
    loss.backward()
    weights = {name: weight.detach().numpy() for name, weight in model.named_parameters()}
    assert loss.item() == pytest.approx(reference_loss(weights, config), rel=1e-10)

    generator = np.random.default_rng(13)
    direction = {name: generator.normal(size=weight.shape) for name, weight in weights.items()}
    step = 1e-6
    sides = [
        reference_loss(
            {name: weight + sign * step * direction[name] for name, weight in weights.items()},
            config,
        )
        for sign in (1, -1)
    ]
    slope = sum(
        float((weight.grad.numpy() * direction[name]).sum())
        for name, weight in model.named_parameters()
    )
    assert slope == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("tied", [True, False])
def test_gradients_of_several_batches_add_up(tied):
    # The item embedding gets its gradient from both ends of the model.
    config = toy_config(tied_embedding=tied)
    batches = [toy_batch(rows) for rows in (ROWS, ROWS[::-1])]
    alone = [toy_model(config) for _ in batches]
    together = toy_model(config)
    for model, batch in zip(alone, batches, strict=True):
        loss_of(model, batch).backward()
        loss_of(together, batch).backward()
    for whole, *parts in zip(*(m.parameters() for m in (together, *alone)), strict=True):
        np.testing.assert_allclose(whole.grad, parts[0].grad + parts[1].grad, rtol=1e-9)
