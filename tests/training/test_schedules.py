"""Learning rates by the number of the step, and training by them."""

import math

import pytest
import torch
from toy_training import trainer_of

from sasrec.base.errors import UserError
from sasrec.machine.distributed import World
from sasrec.training.schedules import SCHEDULES, Schedule


def rates(name, rate=0.5, warmup=0, steps=7, epochs=5):
    schedule = Schedule(name, rate, warmup, steps=steps, epochs=epochs)
    return [rate for epoch in range(1, epochs + 1) for rate in schedule.of_epoch(epoch)]


def test_by_hand():
    assert rates("constant", warmup=0, steps=2, epochs=3) == [0.5] * 6
    assert rates("constant", warmup=4, steps=2, epochs=3) == [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]
    half = math.sqrt(0.5)
    expected = [0.25, 0.5, 0.5, (1 + half) / 4, 0.25, (1 - half) / 4]
    assert rates("cosine", warmup=2, steps=3, epochs=2) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("warmup", [0, 1, 5, 34, 35])
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_step_has_a_rate_and_the_first_after_the_warm_up_all_of_it(name, warmup):
    found = rates(name, warmup=warmup)
    assert len(found) == 35
    assert all(0 < rate <= 0.5 for rate in found)
    assert found[:warmup] == [0.5 * step / warmup for step in range(1, warmup + 1)]
    if warmup < 35:
        assert found[warmup] == 0.5
    schedule = Schedule(name, 0.5, warmup, steps=7, epochs=5)
    assert schedule.changes == (len(set(found)) > 1)
    assert schedule.at(36) == schedule.at(99)  # whoever goes on


def test_cosine_falls_to_zero_at_the_end_of_the_epochs():
    found = rates("cosine", epochs=100)
    assert found == sorted(found, reverse=True)
    assert found[350] == pytest.approx(0.25)
    assert found[-1] < 1e-5


def test_a_warm_up_longer_than_training_is_a_sentence():
    with pytest.raises(UserError) as caught:
        trainer_of(warmup_steps=5, epochs=2, batch_size=4)  # five users: two steps an epoch
    assert str(caught.value) == (
        "train.warmup_steps = 5 is more than the 4 steps of training (train.epochs = 2, of 2 "
        "steps each)"
    )
    trainer_of(warmup_steps=4, epochs=2, batch_size=4)


CHANGING = {"schedule": "cosine", "warmup_steps": 3, "epochs": 4, "batch_size": 2}


def rates_used(monkeypatch, numbers, **params):
    trainer, used = trainer_of(loops=False, **params), []
    step = trainer.optimizer.step

    def recorded():
        used.append(trainer.optimizer._adam.param_groups[0]["lr"])
        step()

    monkeypatch.setattr(trainer.optimizer, "step", recorded)
    losses = [trainer.run_epoch(epoch).loss for epoch in numbers]
    return used, losses


def test_each_step_of_training_has_its_rate(monkeypatch):
    used, _ = rates_used(monkeypatch, (1, 2, 3, 4), **CHANGING)
    assert used == rates("cosine", 0.01, 3, steps=3, epochs=4)
    used, _ = rates_used(monkeypatch, (3,), **CHANGING)
    assert used == rates("cosine", 0.01, 3, steps=3, epochs=4)[6:9]


def test_of_several_processes_all_have_the_same_rates(monkeypatch):
    monkeypatch.setattr(World, "add_up", lambda self, tensor: tensor)
    alone, first, second = (
        rates_used(monkeypatch, (1, 2), **CHANGING, world=world)[0]
        for world in (World(), World(0, 2), World(1, 2))
    )
    assert alone == first == second


@pytest.mark.parametrize(
    "changes",
    [{"schedule": "cosine"}, {"warmup_steps": 9}, {"weight_decay": 0.1}, {"average": "ema"}],
)
def test_rows_do_not_wait_where_every_step_concerns_all(changes):
    many = {"batch_size": 1, "num_items": 10_000}
    assert trainer_of(**many).optimizer.asks
    trainer = trainer_of(**many, **changes)
    assert not trainer.optimizer.asks
    trainer.run_epoch(1)


def test_without_a_schedule_no_step_sets_a_rate(monkeypatch):
    trainer = trainer_of()
    monkeypatch.setattr(trainer.optimizer, "set_rate", pytest.fail)
    trainer.run_epoch(1)


def test_training_is_that_of_adamw_by_a_scheduler_of_torch():
    """Whole epochs of the model against torch's AdamW on the gradients that they had."""
    params = CHANGING | {"weight_decay": 0.3}
    trainer = trainer_of(loops=False, **params)
    copy = [weight.detach().clone().requires_grad_() for weight in trainer.model.parameters()]
    matrices = [weight for weight in copy if weight.ndim >= 2]
    others = [weight for weight in copy if weight.ndim < 2]
    adamw = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.3}, {"params": others, "weight_decay": 0.0}],
        lr=0.01,
        betas=(0.9, 0.98),
    )
    shares = iter(rates("cosine", 1.0, 3, steps=3, epochs=4))
    step = trainer.optimizer.step

    def both():
        share = next(shares)
        for group in adamw.param_groups:
            group["lr"] = 0.01 * share
        for weight, own in zip(copy, trainer.model.parameters(), strict=True):
            weight.grad = own.grad.clone()
        adamw.step()
        step()

    trainer.optimizer.step = both
    for epoch in range(1, 5):
        trainer.run_epoch(epoch)
    for (name, weight), other in zip(trainer.model.named_parameters(), copy, strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=1e-6, msg=name)
    assert not trainer.model.item_embedding[0].any()
