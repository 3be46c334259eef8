"""The second task: ratings of next items."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_training import HISTORIES, trainer_of
from toys import (
    rating_of,
    toy_config,
    toy_objective_params,
    toy_rated,
    toy_sequences,
    toy_train_params,
)

from sasrec.batching.batches import SequenceReader
from sasrec.machine.distributed import World
from sasrec.model.sasrec import SASRec
from sasrec.objectives.rating import RatingPrediction
from sasrec.training import trainer as training
from sasrec.training.building import needs_of
from sasrec.training.memory_need import Settings

CPU = torch.device("cpu")
NUM_ITEMS, SIZE = 13, 6
RATED = toy_rated(toy_sequences(HISTORIES))


def with_ratings(batch):
    """The batch with the ratings of its targets, whatever stands at padding."""
    ratings = [rating_of(item) for item in batch.targets.tolist()]
    return replace(batch, target_columns={"rating": torch.tensor(ratings)})


def rated_trainer(**settings):
    """A trainer whose reader delivers ratings."""
    objective = {"rating_weight": 0.5} | settings.pop("objective", {})
    trainer = trainer_of(RATED, objective=objective, **settings)
    read = trainer.reader.training_batch
    trainer.reader.training_batch = lambda *which: with_ratings(read(*which))
    return trainer


def batch_of(users, layout="grouped"):
    reader = SequenceReader(toy_sequences(HISTORIES), 5, CPU, layout=layout)
    return with_ratings(reader.training_batch(np.array(users)))


def drawn(term):
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in term.parameters():
            parameter += torch.randn(parameter.shape, generator=generator)
    return term


@pytest.mark.parametrize("layout", ["packed", "grouped", "fixed"])
def test_the_loss_is_half_the_squared_error_of_standardised_ratings(layout):
    model = SASRec(toy_config(max_length=5), NUM_ITEMS, seed=1).double().eval()
    term = drawn(RatingPrediction(0.5, SIZE, RATED)).double()
    batch = batch_of([2, 4, 5, 7], layout)
    states = model(batch.inputs)
    w, u = term.interaction.weight.detach().numpy(), term.interaction.bias.detach().numpy()
    v, (b,) = term.user.weight.detach().numpy()[0], term.user.bias.detach().numpy()
    known = [rating_of(item) for row in HISTORIES for item in row]
    known = [rating for rating in known if not math.isnan(rating)]
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((rating - mean) ** 2 for rating in known) / len(known))
    expected, counted = 0.0, 0
    rows = zip(states.detach().numpy(), batch.targets.tolist(), strict=True)
    for state, item in rows:
        rating = rating_of(item)
        if item == 0 or math.isnan(rating):
            continue
        embedding = model.item_embedding[item].detach().numpy()
        predicted = sum((w @ state + u) * embedding) + sum(v * state) + b
        expected += (predicted - (rating - mean) / deviation) ** 2 / 2
        counted += 1
    assert 0 < counted < (batch.targets > 0).sum()  # some are not known
    loss = term(model, model, batch, states, None)
    assert loss.item() == pytest.approx(expected, rel=1e-6)  # ratings are float32


def test_unknown_ratings_and_padding_teach_nothing():
    model = SASRec(toy_config(max_length=5), NUM_ITEMS, seed=1)
    term, batch = drawn(RatingPrediction(0.5, SIZE, RATED)), batch_of([3, 4, 7])
    states = model(batch.inputs).detach().requires_grad_()
    term(model, model, batch, states, None).backward()
    ratings = batch.target_columns["rating"]
    known = (batch.targets > 0) & ~ratings.isnan()
    assert (states.grad.any(1) == known).all()
    unknown = replace(batch, target_columns={"rating": torch.full_like(ratings, math.nan)})
    loss = term(model, model, unknown, states, None)
    loss.backward()
    assert loss.item() == 0
    for parameter in [*term.parameters(), model.item_embedding]:
        assert parameter.grad.isfinite().all()


def test_unknown_ratings_are_counted_and_equal_ones_have_a_deviation():
    term = RatingPrediction(1.0, SIZE, RATED)
    ratings = RATED.columns["rating"]
    assert term.unknown == np.isnan(ratings).sum() > 0
    equal = replace(RATED, columns={"rating": np.full(len(ratings), 4, np.float32)})
    term = RatingPrediction(1.0, SIZE, equal)
    assert (term.mean, term.deviation) == (4, 1)
    none = replace(RATED, columns={"rating": np.full(len(ratings), np.nan, np.float32)})
    assert RatingPrediction(1.0, SIZE, none).unknown == len(ratings)


def test_weight_0_is_no_term():
    trainer = trainer_of(RATED, objective={"rating_weight": 0.0})
    assert len(trainer.objective.terms) == 1


def term_weights(trainer):
    return dict(trainer.objective.named_parameters())


def test_the_second_task_is_learnt_and_learns():
    trainer = rated_trainer(learning_rate=0.01)
    term, users = trainer.objective.terms[1], np.array([3, 4, 5, 7])
    batch = trainer.reader.training_batch(users)

    def loss():
        trainer.model.eval()
        return term(trainer.model, trainer.model, batch, trainer.model(batch.inputs), None).item()

    before = loss()
    for epoch in range(1, 31):
        trainer.run_epoch(epoch)
    assert loss() < before / 2
    assert all(weight.any() for weight in term_weights(trainer).values())
    names = trainer.model.state_dict()
    assert not any("terms" in name or "objective" in name for name in names)  # none is kept


def test_rows_that_wait_come_to_the_same(monkeypatch):
    results = {}
    for least in (0, 1e9):
        monkeypatch.setattr(training, "DEFERRED_FROM", least)
        trainer = rated_trainer(batch_size=1, num_items=60)
        assert trainer.optimizer.asks is (least == 0)
        for epoch in range(1, 4):
            trainer.run_epoch(epoch)
        results[least] = dict(trainer.model.named_parameters()) | term_weights(trainer)
    for name, weight in results[0].items():
        torch.testing.assert_close(weight, results[1e9][name], rtol=0, atol=2e-4, msg=name)


class Silent(World):
    """One of several processes, which adds nothing of the others'."""

    def add_up(self, tensor):
        return tensor


def test_the_gradients_of_processes_add_up_to_that_of_one():
    gradients = []
    for world in (World(), Silent(0, 2), Silent(1, 2)):
        trainer = rated_trainer(world=world, objective={"loss": "cross_entropy"})
        trainer._add_gradients(trainer.steps.make(np.array([3, 4, 5, 7]), torch.Generator()))
        gradients.append(trainer.optimizer.gradient)
        learnt = [*trainer.model.parameters(), *trainer.objective.parameters()]
        assert len(gradients[-1]) == sum(weight.numel() for weight in learnt)
    torch.testing.assert_close(gradients[1] + gradients[2], gradients[0], rtol=1e-4, atol=1e-6)


def test_what_training_needs_of_the_data():
    def needs(inputs, weight):
        objective = toy_objective_params(rating_weight=weight)
        return needs_of(Settings(toy_config(inputs=inputs), objective, toy_train_params()))

    assert needs(["item"], 0.0) == {}
    assert needs(["item"], 0.5) == {"rating": "objective.rating_weight = 0.5"}
    assert needs(["item", "rating"], 0.5) == {"rating": "model.inputs with rating"}
