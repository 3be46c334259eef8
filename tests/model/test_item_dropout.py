"""Items of the input that are hidden in training."""

import math

import pytest
import torch
from toys import ROWS, toy_batch, toy_config, toy_model

from sasrec.kernels.drop_ins import attach
from sasrec.kernels.tables import DROP_INS
from sasrec.model.dropout import Dropout

EXACT = {"rtol": 0, "atol": 0}
EVERY_INPUT = {"inputs": ["item", "rating", "genres"], "attention": "decoupled"}


def model_with(rate, **changes):
    return toy_model(toy_config(item_dropout=rate, **changes)).train()


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.003])
@pytest.mark.parametrize("count", [100_003, 100_004])
def test_chances(rate, count):
    dropout = Dropout(0.2, 11)
    there = dropout.chances(torch.ones(count), rate)
    assert (there.dtype, there.shape) == (torch.bool, (count,))
    deviation = math.sqrt(count * rate * (1 - rate))
    assert abs(there.sum().item() - count * rate) < 5 * deviation
    agree = (there[1:] == there[:-1]).sum().item()
    expected = count * (rate**2 + (1 - rate) ** 2)
    assert abs(agree - expected) < 8 * deviation
    assert not torch.equal(dropout.chances(torch.ones(count), rate), there)
    dropout.reseed(11)
    assert torch.equal(dropout.chances(torch.ones(count), rate), there)


@pytest.mark.parametrize("layout", ["packed", "grouped", "wide"])
def test_a_hidden_item_is_item_0_at_its_position(layout):
    model = model_with(0.5)
    batch = toy_batch(ROWS, layout)
    seen = model.item_dropout(batch)
    assert seen.layout is batch.layout
    hidden = seen.items != batch.items
    assert (seen.items[hidden] == 0).all()
    assert 0 < hidden.sum() < batch.layout.real.sum()
    torch.testing.assert_close(seen.columns["timestamp"], batch.columns["timestamp"], **EXACT)
    ratings = torch.where(hidden, torch.nan, batch.columns["rating"])
    torch.testing.assert_close(seen.columns["rating"], ratings, **EXACT, equal_nan=True)


@pytest.mark.parametrize("changes", [{}, EVERY_INPUT])
def test_nothing_of_a_hidden_item_is_left(changes, monkeypatch):
    """With all hidden, only their number counts."""
    model = model_with(0.5, **changes)
    monkeypatch.setattr(model.dropout, "chances", lambda items, rate: torch.ones_like(items) > 0)
    one, other = toy_batch(ROWS), toy_batch([[2] * len(row) for row in ROWS])
    torch.testing.assert_close(model(one), model(other), **EXACT)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_it_is_for_training_alone_and_follows_its_seed(dropout):
    model, batch, results = model_with(0.5, dropout=dropout), toy_batch(ROWS), []
    for seed in (7, 7, 8):
        model.dropout.reseed(seed)
        results.append(model(batch).detach())
    torch.testing.assert_close(results[0], results[1], **EXACT)
    assert not torch.allclose(results[0], results[2])
    expected = toy_model(toy_config())
    torch.testing.assert_close(model.eval()(batch), expected(batch), **EXACT)


def test_without_it_no_bit_is_drawn():
    """So trainings of before stay as they were."""
    model, batch = model_with(0.0), toy_batch(ROWS)
    assert model.item_dropout(batch) is batch


@pytest.mark.parametrize("score", ["dot", "cosine"])
def test_loops_learn_the_same(score):
    results = []
    for loops in (True, False):
        model = model_with(0.5, score=score, num_blocks=0)
        if loops:
            attach(DROP_INS, model)
        model.dropout.reseed(3)
        model(toy_batch(ROWS)).sin().sum().backward()
        results.append(dict(model.named_parameters()))
    for name, weight in results[0].items():
        torch.testing.assert_close(weight.grad, results[1][name].grad, msg=name)
