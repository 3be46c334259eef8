"""Training with rows of the embeddings that wait until they are read."""

import pytest
import torch
from toy_training import HISTORIES, trainer_of
from toys import toy_sequences

from sasrec import training
from sasrec.distributed import World


def weights_after(epochs, **settings):
    trainer = trainer_of(batch_size=1, num_items=60, **settings)
    losses = [trainer.run_epoch(epoch).loss for epoch in range(1, epochs + 1)]
    return len(trainer._deferred), losses, dict(trainer.model.named_parameters())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("variant", ["official", "post_norm"])
def test_training_is_that_of_adam_over_all_rows(tied, variant, monkeypatch):
    config = {"tied_embedding": tied, "variant": variant, "dropout": 0.2}
    results = {}
    for least in (0, 1e9):
        monkeypatch.setattr(training, "DEFERRED_FROM", least)
        results[least] = weights_after(4, config=config)
    (tables, losses, weights), (none, dense_losses, dense_weights) = results[0], results[1e9]
    assert (tables, none) == (1 if tied else 2, 0)
    assert losses == pytest.approx(dense_losses, abs=1e-5)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, dense_weights[name], rtol=0, atol=2e-4, msg=name)
    assert not weights["item_embedding.weight"][0].any(), "padding stays zero"


def test_the_same_seed_gives_the_same_bytes(monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    results = [weights_after(2)[2] for _ in range(2)]
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_rows_wait_where_a_step_reads_few_of_many_items():
    # 16 positions of five users: 3.2 a user, so 6.4 a batch of two, and each reads three items.
    least = training.DEFERRED_FROM * 6.4 * 3
    assert trainer_of(batch_size=2, num_items=int(least) + 1)._deferred
    assert not trainer_of(batch_size=2, num_items=int(least) - 1)._deferred
    assert not trainer_of(batch_size=2, num_items=int(least) + 1, num_negatives=2)._deferred


def test_rows_do_not_wait_where_processes_read_different_items():
    trainer = trainer_of(batch_size=1, num_items=10_000)
    assert trainer._deferred
    shared = training.Trainer(
        trainer.model, toy_sequences(HISTORIES), trainer.params, trainer.device, World(0, 2)
    )
    assert not shared._deferred


def test_every_item_is_up_to_date_after_an_epoch(monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    trainer = trainer_of(batch_size=1, num_items=60)
    trainer.run_epoch(1)
    (adam,) = trainer._deferred
    assert adam.steps == 5
    assert (adam._step_of == 5).all()
    assert not trainer.model.item_embedding.weight.grad.any()
