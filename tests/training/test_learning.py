"""What a model starts from, and what learns: weights, gradients, dropout."""

import math

import numpy as np
import pytest
import torch
from toy_training import trainer_of
from toys import (
    EVERY_ROW,
    NUM_ITEMS,
    OPTIONS,
    ROWS,
    toy_batch,
    toy_config,
    toy_model,
    toy_sequences,
)

from sasrec.kernels.drop_ins import attach
from sasrec.kernels.tables import DROP_INS
from sasrec.model.sasrec import SASRec
from sasrec.model.tables import ATTENTIONS, FEED_FORWARDS, VARIANTS

EXACT = {"rtol": 0, "atol": 0}
INNER = "blocks.{}.feed_forward.inner.weight"
every_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.mark.parametrize("part", EVERY_ROW.values(), ids=EVERY_ROW)
@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_every_weight_learns_and_row_0_does_not(part, option):
    model = toy_model(toy_config(**option | part)).train()
    row = [5, 19, 2, 2, 23, 7, 11, 13, 1, 8, 20]  # as long as there are positions
    batch = toy_batch([row, row[:4]], "fixed")
    states = model(batch)
    targets = torch.where(batch.layout.real, batch.items % NUM_ITEMS + 1, 0)
    losses = (states * model.scoring_embedding[targets]).sum(1).sin()
    torch.where(targets > 0, losses, 0).sum().backward()
    for name, parameter in model.named_parameters():
        largest = parameter.grad.abs().max().item()
        # With pairs of units to turn, a key's bias is turned too; without a softmax it counts.
        turned = model.config.position == "rotary" and model.config.num_heads < 6
        turned = turned or model.config.attention == "hstu"
        if name.endswith("key.bias") and not turned:  # which moves all scores of a query alike
            assert largest < 1e-12, name
        else:
            assert largest > 1e-6, name
        if parameter.shape == (NUM_ITEMS + 1, 6):
            assert (parameter.grad[0] == 0).all(), name
        if name == "inputs.position.embedding.weight":
            assert (parameter.grad != 0).any(1).all()


@every_variant
@pytest.mark.parametrize("tied", [True, False])
def test_row_0_stays_zero_in_training(variant, tied):
    config = {"variant": variant, "dropout": 0.2, "tied_embedding": tied}
    trainer = trainer_of(toy_sequences(ROWS), num_items=NUM_ITEMS, config=config, loops=False)
    model = trainer.model
    first = model.item_embedding.clone()
    for epoch in range(1, 4):
        trainer.run_epoch(epoch)
    assert (model.item_embedding[0] == 0).all()
    assert (model.scoring_embedding[0] == 0).all()
    assert (model.item_embedding[2] != first[2]).all()


def test_initial_weights():
    model = SASRec(toy_config(hidden_size=50, num_heads=5), 997, seed=3)
    table = model.item_embedding
    bound = math.sqrt(6 / (998 + 50))  # Glorot & Bengio 2010, equation 16
    assert (table[0] == 0).all()
    assert 0.98 * bound < table.abs().max() <= bound
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert (parameter == 0).all(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
    again = SASRec(model.config, 997, seed=3).state_dict()
    other = SASRec(model.config, 997, seed=4).state_dict()
    weights = model.state_dict()
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert not torch.equal(weights[INNER.format(1)], other[INNER.format(1)])
    assert not torch.equal(weights[INNER.format(0)], weights[INNER.format(1)])


def test_dropout_begins_from_the_models_seed():
    first, again, other = (
        SASRec(toy_config(dropout=0.5), 7, seed).dropout.units(50).tolist() for seed in (3, 3, 4)
    )
    assert first == again != other


def test_xavier_normal_has_the_same_spread():
    model = SASRec(toy_config(hidden_size=50, initialisation="xavier_normal"), 997, seed=3)
    deviation = model.item_embedding[1:].std().item()
    assert deviation == pytest.approx(math.sqrt(2 / (998 + 50)), rel=0.02)
    assert model.item_embedding.abs().max() > math.sqrt(6 / (998 + 50))


@every_variant
def test_dropout_only_in_training(variant):
    model = toy_model(toy_config(variant=variant, dropout=0.5))
    plain = toy_model(toy_config(variant=variant))
    batch = toy_batch(ROWS)
    expected = plain(batch)
    torch.testing.assert_close(model(batch), expected, **EXACT)
    model.train()
    model.dropout.reseed(5)
    noisy = model(batch)
    model.dropout.reseed(5)
    torch.testing.assert_close(model(batch), noisy, **EXACT)
    assert not torch.allclose(model(batch), noisy)
    assert not torch.allclose(noisy, expected)


def all_units(*, kept: bool, model: SASRec, counts: list[int], first: bool | None = None):
    """Instead of `Dropout.units`: none is dropped, or all but perhaps those of the first call."""
    most = np.iinfo(model.dropout._unit).max

    def units(count: int) -> np.ndarray:
        keep = first if first is not None and not counts else kept
        counts.append(count)
        return np.full(count, most if keep else 0, model.dropout._unit)

    return units


def test_dropout_is_where_the_authors_have_it(monkeypatch):
    model, counts = toy_model(toy_config(num_heads=2, dropout=0.5)).train(), []
    attach(DROP_INS, model)
    monkeypatch.setattr(model.dropout, "units", all_units(kept=True, model=model, counts=counts))
    model(toy_batch(ROWS[1:3], "fixed"))
    # [T, D] of the embedding; a block's weights of attention, of each position with itself and
    # those before it, a head each, and both layers of the feed-forward, [T, D].
    block = [2 * (15 + 10), 60, 60]
    assert counts == [60, 2 * sum(block)], "both blocks draw at once"


@pytest.mark.parametrize("feed_forward", FEED_FORWARDS)
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_plain_pytorch_has_dropout_in_the_same_places(attention, feed_forward, monkeypatch):
    config = toy_config(num_heads=2, dropout=0.5, attention=attention, feed_forward=feed_forward)
    model, counts = toy_model(config).train(), []
    monkeypatch.setattr(model.dropout, "units", all_units(kept=True, model=model, counts=counts))
    model(toy_batch(ROWS[1:3], "fixed"))
    # As above, but with all pairs of positions in rows of five; or hstu's, of the results.
    block = [
        60 if attention == "hstu" else 2 * 2 * 25,
        *([60, 60] if FEED_FORWARDS[feed_forward] else []),
    ]
    assert counts == [60, *block, *block]


def test_dropout_of_all_updates_leaves_the_residual(monkeypatch):
    model, counts = toy_model(toy_config(variant="paper", dropout=0.5)).train(), []
    without_blocks = toy_model(toy_config(num_blocks=0))
    without_blocks.load_state_dict(model.state_dict(), strict=False)
    batch = toy_batch(ROWS[:1])
    units = all_units(kept=False, model=model, counts=counts, first=True)
    monkeypatch.setattr(model.dropout, "units", units)
    monkeypatch.setattr(model.dropout, "scale", 1.0)
    torch.testing.assert_close(model(batch), without_blocks(batch), **EXACT)
