"""Curves of a training that still runs."""

from pathlib import Path

import pandas as pd
import pytest

from sasrec.ranking.validation import Validation
from sasrec.training import live_curves
from sasrec.training.fitting import History, Progress
from sasrec.training.live_curves import LiveCurves
from sasrec.training.trainer import EpochStats

PATHS = {name: Path(f"plots/{name}.csv") for name in ("training", "validation")}
METRICS = {"HR@10": 0.5, "NDCG@10": 0.25, "MRR": 0.125}


@pytest.fixture
def live(here, monkeypatch):
    monkeypatch.setattr(live_curves, "SECONDS", 0.0)
    return LiveCurves(PATHS)


def after(epochs, validated=()):
    validations = {epoch: Validation(1.5, METRICS, METRICS) for epoch in validated}
    return Progress(History([EpochStats(2.0, 9, 0.1)] * epochs, validations, 0))


def test_each_epoch_adds_a_row(live):
    live(None, after(1))
    assert not PATHS["validation"].exists(), "a file without a row is nothing to draw"
    live(None, after(3, validated=[2]))
    assert pd.read_csv(PATHS["training"])["epoch"].tolist() == [1, 2, 3]
    assert pd.read_csv(PATHS["validation"])["full_NDCG@10"].tolist() == [0.25]


def test_not_more_often_than_they_are_looked_at(live, monkeypatch):
    monkeypatch.setattr(live_curves, "SECONDS", 1.0)
    clock = iter([10.0, 10.0, 10.9, 11.0, 11.0])
    monkeypatch.setattr(live_curves.time, "monotonic", lambda: next(clock))
    for epochs, rows in ((1, 1), (2, 1), (3, 3)):
        live(None, after(epochs))
        assert len(pd.read_csv(PATHS["training"])) == rows


def test_what_cannot_be_written_is_no_reason_to_fail(live):
    Path("plots").write_text("a file")
    live(None, after(1))
    assert Path("plots").read_text() == "a file"


def test_refitting_adds_nothing(live):
    progress = after(1)
    progress.refitted.append(EpochStats(1.0, 9, 0.1))
    live(None, progress)
    assert not PATHS["training"].exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_training_that_fails_leaves_what_was_there(live, error):
    PATHS["training"].parent.mkdir()
    PATHS["training"].write_text("epoch,train_loss\n1,7\n")

    def fail():
        with live.until_replaced():
            live(None, after(2, validated=[1]))
            assert PATHS["validation"].exists()
            raise error

    with pytest.raises(error):
        fail()
    assert PATHS["training"].read_text() == "epoch,train_loss\n1,7\n"
    assert not PATHS["validation"].exists()
