"""Training until validation stops gaining, and the records of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_training import CONFIG, PARAMS, trainer_of
from toys import DESCRIPTION, toy_config, toy_objective_params, toy_train_params

from sasrec.data.facts import SplitFacts
from sasrec.machine.distributed import World
from sasrec.ranking import validation
from sasrec.ranking.ranks import Ranks
from sasrec.ranking.validation import Validation
from sasrec.training import fitting
from sasrec.training.fitting import fit
from sasrec.training.records import curves, model_description, timing, train_details, train_metrics
from sasrec.training.trainer import EpochStats, Trainer


def validation_of(sampled, full=0.5, loss=1.0):
    return Validation(
        loss=loss,
        sampled={"HR@10": 0.9, "NDCG@10": sampled, "MRR": 0.3},
        full={"HR@10": 0.8, "NDCG@10": full, "MRR": 0.2},
    )


def fit_scripted(values, **params):
    """Fit with scripted validations; returns the history, lines, weights at each, the model."""
    trainer = trainer_of(loops=False, **params)
    script = iter(values)
    weights, lines = [], []

    def validate_next():
        state = trainer.model.state_dict()
        weights.append({name: weight.clone() for name, weight in state.items()})
        return next(script)

    history = fit(trainer, validate_next, lines.append)
    return history, lines, weights, trainer.model.state_dict()


def same_weights(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_the_best_epoch_is_kept():
    values = [validation_of(sampled) for sampled in (0.1, 0.4, 0.3, 0.2)]
    history, lines, weights, final = fit_scripted(values, epochs=4)
    assert history.best_epoch == 2
    assert history.best is values[1]
    assert list(history.validations) == [1, 2, 3, 4]
    assert len(history.epochs) == len(lines) == 4
    assert same_weights(final, weights[1])
    assert not same_weights(final, weights[3])


def test_training_stops_when_gains_end():
    gains = (0.1, 0.2, 0.2, 0.15, 0.3, 0.3, 0.1, 0.29, 0.9)
    history, lines, weights, final = fit_scripted(map(validation_of, gains), epochs=9, patience=3)
    # An equal value is no gain; the third validation after epoch 5 is the last.
    assert history.best_epoch == 5
    assert len(history.epochs) == 8
    assert same_weights(final, weights[4])
    assert "no gain in validation NDCG@10 for 3 validations" in lines[-1]
    assert len(lines) == 9


def test_only_every_second_epoch_and_the_last_are_validated():
    values = [validation_of(0.1), validation_of(0.3), validation_of(0.2)]
    history, lines, weights, final = fit_scripted(values, epochs=5, valid_every=2)
    assert list(history.validations) == [2, 4, 5]
    assert history.best_epoch == 4
    assert same_weights(final, weights[1])
    assert ["valid loss" in line for line in lines] == [False, True, False, True, True]
    assert "best -" in lines[0]


def test_patience_counts_validations_not_epochs():
    gains = (0.5, 0.1, 0.1, 0.1)
    history, *_ = fit_scripted(map(validation_of, gains), epochs=20, valid_every=3, patience=2)
    assert list(history.validations) == [3, 6, 9]


@pytest.mark.parametrize(("monitor", "best"), [("sampled", 1), ("full", 2)])
def test_the_monitored_protocol_decides(monitor, best):
    values = [validation_of(0.5, full=0.1), validation_of(0.4, full=0.2)]
    history, *_ = fit_scripted(values, epochs=2, monitor=monitor)
    assert history.best_epoch == best


def test_a_first_validation_of_zero_is_kept():
    history, _, weights, final = fit_scripted([validation_of(0.0), validation_of(0.0)], epochs=2)
    assert history.best_epoch == 1
    assert same_weights(final, weights[0])


def test_a_line_tells_the_epoch():
    values = [validation_of(0.25, full=0.125, loss=1.5)]
    _, lines, _, _ = fit_scripted(values, epochs=1)
    assert lines[0].startswith("epoch 1/1  loss ")
    assert "valid loss 1.5000  sampled NDCG@10 0.2500 HR@10 0.9000" in lines[0]
    assert "full NDCG@10 0.1250 HR@10 0.8000" in lines[0]
    assert lines[0].endswith("best 1  at most 0:00 left")


def test_a_line_tells_speed_and_what_is_left(monkeypatch):
    clock = iter([100, 110, 190, 220])
    monkeypatch.setattr(fitting, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(Trainer, "run_epoch", lambda self, epoch: EpochStats(2.5, 3000, 1.5))
    _, lines, *_ = fit_scripted([validation_of(0.1)] * 3, epochs=3)
    assert all("  loss 2.5000  " in line for line in lines)
    assert all("  1.50 s  2,000 interactions/s  best 1  " in line for line in lines)
    # 10 seconds an epoch after the first, 45 after two.
    assert [line.rpartition("at most ")[2] for line in lines] == [
        "0:20 left",
        "0:45 left",
        "0:00 left",
    ]


def test_of_several_processes_only_the_first_validates():
    class Second(World):
        def from_first(self, value):
            assert value is None
            return told.pop(0)

    told = [validation_of(value) for value in (0.1, 0.3, 0.2)]
    trainer = trainer_of(epochs=3, loops=False)
    trainer.world = Second(1, 2)
    trainer.run_epoch = lambda epoch: EpochStats(1.0, 1, 1.0)
    assert fit(trainer, pytest.fail, lambda line: None).best_epoch == 2


def test_validation_is_the_mean_over_users(monkeypatch):
    ranks = Ranks(
        sampled=np.array([1.0, 3.0, np.nan, 40.0]),  # the third has no candidates
        full=np.array([11.0, 1.0, 11.0, 7.0]),
        losses=np.array([1.0, 2.0, np.nan, 6.0]),
        top=np.empty((4, 0), np.int64),
    )
    monkeypatch.setattr(validation, "rank_targets", lambda *arguments, **options: ranks)
    model = SimpleNamespace(scoring_embedding=None)
    found = validation.validate(model, None, None, None)
    assert found.loss == 3
    assert found.sampled["NDCG@10"] == pytest.approx((1 + 1 / 2) / 3)  # log2(4) = 2
    assert found.full["NDCG@10"] == pytest.approx((1 + 1 / 3) / 4)  # log2(8) = 3
    assert found.sampled["MRR"] == pytest.approx((1 + 1 / 3 + 1 / 40) / 3)


def test_records_of_a_training():
    values = [validation_of(0.1, loss=1.25), validation_of(0.75, full=0.25, loss=2.5)]
    history, *_ = fit_scripted([*values, values[0]], epochs=5, valid_every=2)
    epochs = enumerate((5.0, 1.0, 2.0, 9.0, 3.0))
    history.epochs = [EpochStats(10.0 - index, 30, seconds) for index, seconds in epochs]
    assert history.seconds_per_epoch == 3.0
    details = train_details(history, toy_config(**CONFIG), "sampled_7")
    assert details == {
        "best_epoch": 4,
        "epochs": 5,
        "train_loss": 7.0,
        "valid": {"loss": 2.5, "sampled_7": values[1].sampled, "full": values[1].full},
        "hyperparameters": {"max_length": 5, "dropout": 0.0},
    }
    assert train_metrics(details) == {
        "best_epoch": 4,
        "valid": {
            "sampled_7": {"NDCG@10": values[1].sampled["NDCG@10"]},
            "full": {"NDCG@10": values[1].full["NDCG@10"]},
        },
    }
    assert timing(history) == {"seconds_per_epoch": 3.0, "interactions_per_second": 10}
    training, validation = curves(history).values()
    assert training.to_dict("list") == {
        "epoch": [1, 2, 3, 4, 5],
        "train_loss": [10.0, 9.0, 8.0, 7.0, 6.0],
    }
    assert validation["epoch"].tolist() == [2, 4, 5]
    assert validation["valid_loss"].tolist() == [1.25, 2.5, 1.25]
    assert validation["sampled_NDCG@10"].tolist() == [0.1, 0.75, 0.1]
    assert validation["full_NDCG@10"].tolist() == [0.5, 0.25, 0.5]
    data = SplitFacts(**DESCRIPTION["data"])
    params, objective = toy_train_params(**PARAMS), toy_objective_params(loss="gbce")
    description = model_description(data, params, objective, history, filter_seen=False)
    values = params.model_dump()
    assert description == {
        "best_epoch": 4,
        "data": DESCRIPTION["data"],
        "filter_seen": False,
        "kernels": values.pop("kernels"),
        "objective": objective.model_dump(),
        "train": values,
    }
