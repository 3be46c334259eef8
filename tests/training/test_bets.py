"""Parts beyond the paper's: that they train, and as plain PyTorch says."""

from contextlib import nullcontext

import pytest
import torch
from toy_training import circle, hit_rate_at_one, trainer_of

from sasrec.kernels.drop_ins import plainly
from sasrec.training import trainer as training

PARTS = {
    "hstu": {"attention": "hstu", "feed_forward": "none", "position": "relative"},
    "ligr": {"variant": "ligr", "feed_forward": "swiglu"},
    "cosine": {"score": "cosine", "temperature": 0.1},
    "items hidden": {"item_dropout": 0.1},
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_they_learn(part):
    sequences, targets = circle()
    trainer = trainer_of(
        sequences,
        num_items=11,
        batch_size=16,
        learning_rate=0.03,
        config={"hidden_size": 16, "variant": "paper"} | part,
        objective={"loss": "cross_entropy"},
    )
    losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 10)]
    assert losses[-1] < losses[0] / 2
    assert hit_rate_at_one(trainer, targets) > 0.9


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "sampled_softmax", "cross_entropy"])
@pytest.mark.parametrize("tied", [True, False])
def test_cosines_by_loops_train_as_by_plain_pytorch(loss, tied):
    config = {"score": "cosine", "tied_embedding": tied, "item_dropout": 0.2}
    results = []
    for loops in (True, False):
        trainer = trainer_of(config=config, objective={"loss": loss})
        with nullcontext() if loops else plainly(trainer.model, trainer.objective):
            losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 4)]
        results.append((losses, dict(trainer.model.named_parameters())))
    (losses, weights), (plain_losses, plain_weights) = results
    assert losses == pytest.approx(plain_losses, rel=1e-4)
    for name, weight in weights.items():
        if not name.endswith("key.bias"):  # whose gradient is rounding alone
            torch.testing.assert_close(weight, plain_weights[name], rtol=0, atol=1e-3, msg=name)
    assert not weights["inputs.parts.item.embedding.weight"][0].any(), "padding stays zero"


@pytest.mark.parametrize(("score", "wait"), [("dot", 1), ("cosine", 0)])
def test_no_row_waits_where_a_score_reads_all(score, wait, monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    trainer = trainer_of(config={"score": score})
    assert len(trainer.optimizer._deferred) == wait


def test_hidden_items_may_wait_with_the_others(monkeypatch):
    """A step reads an item that it hides, so the row is moved as Adam moves it."""
    results = []
    for least in (0, 1e9):
        monkeypatch.setattr(training, "DEFERRED_FROM", least)
        trainer = trainer_of(batch_size=1, num_items=60, config={"item_dropout": 0.5})
        losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 5)]
        results.append((losses, trainer.model.item_embedding.detach()))
    assert results[0][0] == pytest.approx(results[1][0], abs=1e-5)
    torch.testing.assert_close(results[0][1], results[1][1], rtol=0, atol=2e-4)


def test_hidden_items_tell_two_passes_apart():
    """A contrast of two dropouts needs no other one."""
    trainer = trainer_of(config={"item_dropout": 0.5}, objective={"contrasts": ["dropout"]})
    assert trainer.run_epoch(1).loss > 0
