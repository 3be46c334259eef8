"""Choosing a device, and that a GPU computes what the CPU does."""

import numpy as np
import pytest
import torch
from toys import (
    MAX_LENGTH,
    NUM_ITEMS,
    ROWS,
    toy_config,
    toy_model,
    toy_objective_params,
    toy_sequences,
    toy_train_params,
)

from sasrec.base.errors import UserError
from sasrec.batching.batches import SequenceReader
from sasrec.kernels.prepare import layout_for, prepare
from sasrec.machine.devices import choose_device, describe_device
from sasrec.model.sasrec import SASRec
from sasrec.model.tables import VARIANTS
from sasrec.objectives.objective import build_objective
from sasrec.objectives.tables import LOSSES
from sasrec.training.trainer import Trainer

CUDA = torch.device("cuda")
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def pretend(monkeypatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "expected"),
    [
        (True, False, "auto", "cuda"),
        (False, False, "auto", "cpu"),
        (False, True, "auto", "cpu"),
        (True, False, "cpu", "cpu"),
        (True, False, "cuda", "cuda"),
        (False, True, "mps", "mps"),
    ],
)
def test_the_device_asked_for(monkeypatch, cuda, mps, name, expected):
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert choose_device(name).type == expected


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "there"),
    [
        (False, False, "cuda", "cpu"),
        (False, True, "cuda", "cpu, mps"),
        (True, False, "mps", "cpu, cuda"),
    ],
)
def test_a_device_that_is_not_there(monkeypatch, cuda, mps, name, there):
    pretend(monkeypatch, cuda=cuda, mps=mps)
    with pytest.raises(UserError) as caught:
        choose_device(name, key="evaluate.device")
    text = str(caught.value)
    assert text.startswith(f"evaluate.device = '{name}', but torch ")
    assert text.endswith(f"(available: {there}); use auto")


def test_the_key_is_trains_unless_said_otherwise(monkeypatch):
    pretend(monkeypatch, cuda=False, mps=False)
    with pytest.raises(UserError, match=r"^train\.device = 'cuda'"):
        choose_device("cuda")


def test_description():
    assert describe_device(torch.device("cpu")) == f"cpu, {torch.get_num_threads()} threads"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestCuda:
    @every_variant
    def test_states_are_those_of_the_cpu(self, variant):
        model = toy_model(toy_config(variant=variant, num_heads=2))
        reader = SequenceReader(
            toy_sequences(ROWS), MAX_LENGTH, torch.device("cpu"), layout="fixed"
        )
        batch, _ = reader.histories(np.arange(1, 6))
        expected, latest = model(batch)[batch.layout.real], model.last_states(batch)
        there = SequenceReader(toy_sequences(ROWS), MAX_LENGTH, CUDA, layout="fixed")
        batch, _ = there.histories(np.arange(1, 6))
        model.cuda()
        close = {"rtol": 1e-7, "atol": 1e-9}
        torch.testing.assert_close(model(batch)[batch.layout.real].cpu(), expected, **close)
        torch.testing.assert_close(model.last_states(batch).cpu(), latest, **close)

    @every_loss
    @every_variant
    def test_gradients_are_those_of_the_cpu(self, variant, loss):
        gradients = []
        for device in (torch.device("cpu"), CUDA):
            model = toy_model(toy_config(variant=variant, num_heads=2)).to(device)
            reader = SequenceReader(toy_sequences(ROWS[:4]), MAX_LENGTH, device, layout="fixed")
            batch = reader.training_batch(np.arange(1, 5))
            function = LOSSES[loss](toy_objective_params(num_negatives=1), NUM_ITEMS)
            negatives = batch.targets[:, None] % NUM_ITEMS + 1 if function.num_negatives else None
            states = model(batch.inputs)
            function(states, model.scoring_embedding, batch.targets, negatives).backward()
            gradients.append({name: w.grad.cpu() for name, w in model.named_parameters()})
        for name, gradient in gradients[0].items():
            torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-7, atol=1e-9, msg=name)

    @every_loss
    @every_variant
    def test_an_epoch_runs(self, variant, loss):
        config = toy_config(variant=variant, dropout=0.2)
        model, sequences = SASRec(config, NUM_ITEMS, seed=1).to(CUDA), toy_sequences(ROWS)
        objective = build_objective(toy_objective_params(loss=loss), sequences, NUM_ITEMS, CUDA)
        prepare(model, objective.loss)
        reader = SequenceReader(sequences, MAX_LENGTH, CUDA, layout=layout_for(model))
        trainer = Trainer(model, objective, reader, toy_train_params())
        losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 9)]
        assert losses[-1] < losses[0]
        assert (model.item_embedding[0] == 0).all()
