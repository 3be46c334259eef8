"""The parts that docs/developing.md adds, as they stand there, train."""

import re

import numpy as np
import pytest
from places import ROOT
from toy_training import circle, hit_rate_at_one, trainer_of

from sasrec.model.tables import FEED_FORWARDS
from sasrec.objectives.tables import LOSSES
from sasrec.ranking import metrics

PAGE = (ROOT / "docs/developing.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def module_on_page(path: str) -> dict:
    """The names of the module that the page shows under this path."""
    (source,) = [block for block in BLOCKS if block.startswith(f"# {path}\n")]
    names: dict = {}
    exec(compile(source, path, "exec"), names)
    return names


def row_on_page(row: str) -> str:
    (found,) = re.findall(rf"the row `({row})`", PAGE)
    return found


def learns(trainer, targets):
    losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 26)]
    assert losses[-1] < losses[0] / 2
    assert hit_rate_at_one(trainer, targets) > 0.9


def test_the_feed_forward_layer(monkeypatch):
    layer = module_on_page("stages/sasrec/model/gelu.py")["GeluFeedForward"]
    assert row_on_page('"gelu": .*?,') == '"gelu": GeluFeedForward,'
    monkeypatch.setitem(FEED_FORWARDS, "relu", layer)  # under a name that params may have already
    sequences, targets = circle()
    config = {"hidden_size": 16}
    trainer = trainer_of(sequences, num_items=11, batch_size=16, config=config)
    assert isinstance(trainer.model.blocks[0].feed_forward, layer)
    assert trainer.reader.layout == "grouped"  # it has no drop-in
    learns(trainer, targets)


def test_the_loss(monkeypatch):
    loss = module_on_page("stages/sasrec/objectives/hinge.py")["Hinge"]
    assert row_on_page('"hinge": .*?,') == '"hinge": Hinge,'
    monkeypatch.setitem(LOSSES, "gbce", loss)
    sequences, targets = circle()
    trainer = trainer_of(
        sequences,
        num_items=11,
        batch_size=16,
        config={"hidden_size": 16},
        objective={"loss": "gbce", "num_negatives": 3},
    )
    assert isinstance(trainer.objective.loss, loss)
    learns(trainer, targets)


def test_the_metric(monkeypatch):
    (source,) = [block for block in BLOCKS if block.startswith("AT_K = {")]
    (row,) = re.findall(r'"precision": (lambda .*),', source)
    monkeypatch.setitem(metrics.AT_K, "precision", eval(row))
    found = metrics.summarise(np.array([1.0, 3.0, 40.0]), (2, 10))
    assert found["precision@2"] == pytest.approx(1 / 6)
    assert found["precision@10"] == pytest.approx(2 / 30)
    intervals = metrics.bootstrap_intervals(
        np.array([1.0, 3.0]), (2,), samples=100, generator=np.random.default_rng(1)
    )
    assert "precision@2" in intervals
