"""The model against its loop-written restatement, and what must hold for every variant."""

import math

import numpy as np
import pytest
import reference
import torch
from torch import Tensor
from toys import (
    LAYOUTS,
    MAX_LENGTH,
    NUM_ITEMS,
    ROWS,
    by_row,
    toy_batch,
    toy_config,
    toy_model,
    toy_sequences,
)

from sasrec.batches import Batch, SequenceReader
from sasrec.model import VARIANTS, SASRec
from sasrec.training import Trainer, TrainParams

EXACT = {"rtol": 0, "atol": 0}
CLOSE = {"rtol": 1e-9, "atol": 1e-11}

every_variant = pytest.mark.parametrize("variant", VARIANTS)
OPTIONS = {
    "as published": {},
    "two heads": {"num_heads": 2},
    "a head a unit": {"num_heads": 6},
    "projection": {"output_projection": True, "num_heads": 3},
    "no residual": {"residual": False},
    "no position": {"position_embedding": False},
    "untied": {"tied_embedding": False},
    "no blocks": {"num_blocks": 0},
    "three blocks": {"num_blocks": 3},
}


def states_alone(model: SASRec, row: list[int]) -> Tensor:
    return model(toy_batch([row]))


@every_variant
@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_states_and_scores_are_those_of_the_formulas(variant, changes):
    config = toy_config(variant=variant, **changes)
    model = toy_model(config)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    batch = toy_batch(ROWS, LAYOUTS["groups"])

    states = by_row(model(batch), batch)
    scores = model.last_states(batch) @ model.scoring_embedding.T

    for row, items in enumerate(ROWS):
        expected = reference.states(
            weights, items, variant=variant, num_heads=config.num_heads, residual=config.residual
        )
        np.testing.assert_allclose(states[row].detach(), expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(
            scores[row].detach(), reference.scores(weights, expected[-1]), rtol=1e-9, atol=1e-11
        )


def test_the_variants_differ():
    results = [
        toy_model(toy_config(variant=variant))(toy_batch(ROWS[:1])).detach() for variant in VARIANTS
    ]
    for i, one in enumerate(results):
        assert not any(torch.allclose(one, other, rtol=1e-3) for other in results[:i])


@every_variant
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_gives_what_each_row_alone_gives(variant, layout):
    model = toy_model(toy_config(variant=variant, num_heads=2))
    batch = toy_batch(ROWS, LAYOUTS[layout])
    for row, states in zip(ROWS, by_row(model(batch), batch), strict=True):
        torch.testing.assert_close(states, states_alone(model, row), **CLOSE)


@every_variant
@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_last_states_are_the_latest_of_forward(variant, changes):
    model = toy_model(toy_config(variant=variant, **changes))
    batch = toy_batch(ROWS, LAYOUTS["groups"])
    latest = torch.stack([states[-1] for states in by_row(model(batch), batch)])
    torch.testing.assert_close(model.last_states(batch), latest, **CLOSE)


@every_variant
def test_a_later_item_changes_nothing_before_it(variant):
    model = toy_model(toy_config(variant=variant, num_heads=2))
    row = ROWS[0]
    before = states_alone(model, row)
    for t in range(1, len(row)):
        changed = [*row[:t], row[t] % NUM_ITEMS + 1, *row[t + 1 :]]
        after = states_alone(model, changed)
        torch.testing.assert_close(after[:t], before[:t], **EXACT)
        assert (after[t:] != before[t:]).any(1).all()  # and everything from it on


@every_variant
def test_what_other_rows_hold_changes_nothing(variant):
    model = toy_model(toy_config(variant=variant))
    batch = toy_batch(ROWS, LAYOUTS["one group"])
    others = toy_batch([[1] * len(row) for row in ROWS[:2]] + ROWS[2:], LAYOUTS["one group"])
    for one, same in list(
        zip(by_row(model(batch), batch), by_row(model(others), others), strict=True)
    )[2:]:
        torch.testing.assert_close(one, same, **EXACT)


@every_variant
def test_what_stands_in_padding_changes_nothing_real(variant):
    model = toy_model(toy_config(variant=variant))
    batch = toy_batch(ROWS, LAYOUTS["wide"])
    filled = Batch(torch.where(batch.layout.real, batch.items, 9), batch.layout)
    torch.testing.assert_close(
        model(filled)[batch.layout.real], model(batch)[batch.layout.real], **EXACT
    )


def test_positions_count_from_the_end():
    model = toy_model(toy_config(num_blocks=0))
    row = [4, 4, 4]
    with torch.no_grad():
        model.position_embedding.weight[1] += 1.0  # one before the latest
        moved = states_alone(model, row)
        model.position_embedding.weight[1] -= 1.0
        # A layer norm takes an equal shift of all units away; a lone unit's remains.
        torch.testing.assert_close(moved, states_alone(model, row), **CLOSE)
        model.position_embedding.weight[1, 2] += 1.0
        changed = (states_alone(model, row) - moved).abs().amax(1) > 1e-6
    assert changed.tolist() == [False, True, False]


@every_variant
@pytest.mark.parametrize("dense", [False, True])
def test_only_the_most_recent_items_are_seen(variant, dense):
    model = toy_model(toy_config(variant=variant))
    long = [(7 * i) % NUM_ITEMS + 1 for i in range(MAX_LENGTH + 6)]
    reader = SequenceReader(toy_sequences([long]), MAX_LENGTH, torch.device("cpu"), dense=dense)
    batch, _ = reader.histories(np.array([1]))
    alone = model.last_states(toy_batch([long[-MAX_LENGTH:]]))
    torch.testing.assert_close(model.last_states(batch), alone, **CLOSE)


@every_variant
@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_every_weight_learns_and_row_0_does_not(variant, changes):
    model = toy_model(toy_config(variant=variant, **changes)).train()
    row = [5, 19, 2, 2, 23, 7, 11, 13, 1, 8, 20]  # as long as there are positions
    batch = toy_batch([row, row[:4]], LAYOUTS["wide"][:0] or [(2, MAX_LENGTH)])
    states = model(batch)
    targets = torch.where(batch.layout.real, batch.items % NUM_ITEMS + 1, 0)
    losses = (states * model.scoring_embedding[targets]).sum(1).sin()
    torch.where(targets > 0, losses, 0).sum().backward()
    for name, parameter in model.named_parameters():
        largest = parameter.grad.abs().max().item()
        if name.endswith("key.bias"):  # moves all scores of a query alike: softmax ignores it
            assert largest < 1e-12, name
        else:
            assert largest > 1e-6, name
        if parameter.shape == (NUM_ITEMS + 1, 6):
            assert (parameter.grad[0] == 0).all(), name
        if name == "position_embedding.weight":
            assert (parameter.grad != 0).any(1).all()


PARAMS = TrainParams(
    epochs=3, batch_size=3, learning_rate=0.01, num_negatives=2, valid_every=1, patience=1,
    monitor="sampled", seed=1, device="cpu", precision="float32", compile=False,
)  # fmt: skip


@every_variant
@pytest.mark.parametrize("tied", [True, False])
def test_row_0_stays_zero_in_training(variant, tied):
    model = SASRec(toy_config(variant=variant, dropout=0.2, tied_embedding=tied), NUM_ITEMS, seed=1)
    first = model.item_embedding.weight.clone()
    trainer = Trainer(model, toy_sequences(ROWS), PARAMS, torch.device("cpu"))
    for epoch in range(1, 4):
        trainer.run_epoch(epoch)
    assert (model.item_embedding.weight[0] == 0).all()
    assert (model.scoring_embedding[0] == 0).all()
    assert (model.item_embedding.weight[2] != first[2]).all()


def test_initial_weights():
    model = SASRec(toy_config(hidden_size=50, num_heads=5), 997, seed=3)
    table = model.item_embedding.weight
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
    assert not torch.equal(weights["blocks.1.inner.weight"], other["blocks.1.inner.weight"])
    assert not torch.equal(weights["blocks.0.inner.weight"], weights["blocks.1.inner.weight"])


def test_xavier_normal_has_the_same_spread():
    model = SASRec(toy_config(hidden_size=50, initialisation="xavier_normal"), 997, seed=3)
    deviation = model.item_embedding.weight[1:].std().item()
    assert deviation == pytest.approx(math.sqrt(2 / (998 + 50)), rel=0.02)
    assert model.item_embedding.weight.abs().max() > math.sqrt(6 / (998 + 50))


@every_variant
def test_dropout_only_in_training(variant):
    model = toy_model(toy_config(variant=variant, dropout=0.5))
    plain = toy_model(toy_config(variant=variant))
    batch = toy_batch(ROWS, LAYOUTS["groups"])
    expected = plain(batch)
    torch.testing.assert_close(model(batch), expected, **EXACT)
    model.train()
    model.noise.reseed(5)
    noisy = model(batch)
    model.noise.reseed(5)
    torch.testing.assert_close(model(batch), noisy, **EXACT)
    assert not torch.allclose(model(batch), noisy)
    assert not torch.allclose(noisy, expected)


WRONG_ITEMS = {
    "array": (np.array([3, 5]), TypeError, "items: expected a tensor of int64, got ndarray"),
    "list": ([3, 5], TypeError, "items: expected a tensor of int64, got list"),
    "floats": (torch.tensor([3.0, 5.0]), TypeError, r"int64 of shape \[T\], got torch.float32"),
    "int32": (torch.tensor([3, 5], dtype=torch.int32), TypeError, "got torch.int32"),
    "two axes": (torch.tensor([[3, 5]]), TypeError, r"got torch.int64 of \[1, 2\]"),
    "too high": (torch.tensor([3, 24]), ValueError, "ids from 3 to 24, expected 0 .* to 23"),
    "below 0": (torch.tensor([-1, 5]), ValueError, "ids from -1 to 5, expected 0 .* to 23"),
}


@pytest.mark.parametrize(("items", "error", "text"), WRONG_ITEMS.values(), ids=WRONG_ITEMS)
def test_wrong_items_are_said_in_words(items, error, text):
    model = toy_model(toy_config())
    layout = toy_batch([[1, 2]]).layout
    for call in (model, model.last_states):
        with pytest.raises(error, match=text):
            call(Batch(items, layout))


def test_the_largest_item_is_an_item():
    states = toy_model(toy_config())(toy_batch([[NUM_ITEMS]]))
    assert states.isfinite().all()


def test_last_states_are_not_for_training():
    with pytest.raises(AssertionError, match="eval"):
        toy_model(toy_config()).train().last_states(toy_batch(ROWS[:1]))


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestCuda:
    @every_variant
    def test_states_are_those_of_the_cpu(self, variant):
        model = toy_model(toy_config(variant=variant, num_heads=2))
        reader = SequenceReader(toy_sequences(ROWS), MAX_LENGTH, torch.device("cpu"), dense=True)
        batch, _ = reader.histories(np.arange(1, 6))
        expected, latest = model(batch)[batch.layout.real], model.last_states(batch)
        there = SequenceReader(toy_sequences(ROWS), MAX_LENGTH, torch.device("cuda"), dense=True)
        batch, _ = there.histories(np.arange(1, 6))
        model.cuda()
        close = {"rtol": 1e-7, "atol": 1e-9}
        torch.testing.assert_close(model(batch)[batch.layout.real].cpu(), expected, **close)
        torch.testing.assert_close(model.last_states(batch).cpu(), latest, **close)

    @every_variant
    def test_an_epoch_runs(self, variant):
        model = SASRec(toy_config(variant=variant, dropout=0.2), NUM_ITEMS, seed=1)
        trainer = Trainer(model, toy_sequences(ROWS), PARAMS, torch.device("cuda"))
        losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 9)]
        assert losses[-1] < losses[0]
        assert (model.item_embedding.weight[0] == 0).all()
