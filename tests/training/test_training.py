"""Training: one step against a plain restatement, seeds, learning, and when to stop."""

import math
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from plain_model import ITEMS, PlainSASRec
from toy_training import (
    CPU,
    HISTORIES,
    as_rows,
    circle,
    hit_rate_at_one,
    record_batches,
    trainer_of,
)
from toys import DESCRIPTION, toy_sequences

from sasrec.base.errors import UserError
from sasrec.batching.batches import SequenceReader
from sasrec.model.checkpoint import load_model, save_model
from sasrec.objectives import uniform
from sasrec.objectives.tables import LOSSES
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores
from sasrec.ranking.validation import validate
from sasrec.training import steps
from sasrec.training.fitting import fit


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("num_negatives", [1, 3])
def test_steps_are_those_of_plain_padded_training(num_negatives, loops, monkeypatch):
    settings = {"objective": {"num_negatives": num_negatives}, "config": {"max_length": 6}}
    trainer = trainer_of(batch_size=2, loops=loops, **settings)
    plain = PlainSASRec(trainer.model)
    # Adam divides by sqrt(v) + epsilon. With its tiny epsilon a gradient that is zero but for
    # rounding (a key's bias has none) would be a whole step; a larger one keeps both comparable.
    trainer.optimizer._adam.param_groups[0]["eps"] = 0.01
    adam = torch.optim.Adam(plain.weights.values(), lr=0.01, betas=(0.9, 0.98), eps=0.01)
    batches, drawn = record_batches(trainer, monkeypatch)
    before = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    stats = [trainer.run_epoch(epoch) for epoch in (1, 2)]
    assert len(batches) == len(drawn) == 6  # five users in batches of two, twice

    losses = []
    for batch, negatives in zip(batches, drawn, strict=True):
        rows = as_rows(batch, negatives, max_length=6)
        adam.zero_grad()
        loss = plain.loss(*rows)
        loss.backward()
        plain.weights[ITEMS].grad[0] = 0  # padding is not learnt
        adam.step()
        losses.append(loss.item() * sum(map(len, rows[0])))
    assert stats[0].loss == pytest.approx(sum(losses[:3]) / 18, abs=1e-6)
    assert stats[1].loss == pytest.approx(sum(losses[3:]) / 18, abs=1e-6)
    for name, weight in trainer.model.named_parameters():
        torch.testing.assert_close(weight.double(), plain.weights[name], rtol=0, atol=1e-6)
        if "key.bias" not in name:
            assert (weight - before[name]).abs().max() > 1e-3, name


def test_an_epoch_learns_once_from_every_user_with_two_items(monkeypatch):
    trainer = trainer_of(batch_size=3, loops=False)
    batches, _ = record_batches(trainer, monkeypatch)
    stats = [trainer.run_epoch(epoch) for epoch in range(1, 6)]
    # 1, 2, 9, 4 and 7 items but the first of each, at most max_length = 5.
    assert [epoch.interactions for epoch in stats] == [1 + 2 + 5 + 3 + 5] * 5
    assert all(epoch.seconds > 0 for epoch in stats)
    orders = [batch.users.tolist() for batch in batches]
    assert [len(order) for order in orders] == [3, 2] * 5
    for first, second in zip(orders[::2], orders[1::2], strict=True):
        assert sorted(first + second) == [2, 3, 4, 5, 7]
    assert len({frozenset(order) for order in orders[::2]}) > 1, "batches are drawn anew"


def test_negatives_are_unseen_and_new_every_epoch(monkeypatch):
    trainer = trainer_of(objective={"num_negatives": 5}, loops=False)
    batches, drawn = record_batches(trainer, monkeypatch)
    trainer.run_epoch(1)
    trainer.run_epoch(2)
    by_user = [{}, {}]
    for step, (batch, negatives) in enumerate(zip(batches, drawn, strict=True)):
        _, _, rows = as_rows(batch, negatives, max_length=5)
        by_user[step // 2] |= dict(zip(batch.users.tolist(), rows, strict=True))
    for user, rows in by_user[0].items():
        assert {item for row in rows for item in row} <= set(range(1, 14)) - set(
            HISTORIES[user - 1]
        )
    assert by_user[0] != by_user[1]


def losses_of_two_epochs(**params):
    settings = {"objective": {"num_negatives": 2}, "config": {"dropout": 0.5}}
    trainer = trainer_of(batch_size=2, loops=False, **settings, **params)
    return [trainer.run_epoch(epoch).loss for epoch in (1, 2)]


@pytest.mark.parametrize(("at_once", "numbers"), [(1, 1 << 22), (2, 1 << 22), (100, 1), (100, 60)])
def test_how_many_batches_are_prepared_at_once_changes_nothing(at_once, numbers, monkeypatch):
    expected = losses_of_two_epochs()
    monkeypatch.setattr(steps, "PREPARED_AT_ONCE", at_once)
    monkeypatch.setattr(steps, "PREPARED_NUMBERS", numbers)
    assert losses_of_two_epochs() == expected


def test_batches_are_prepared_by_what_they_hold(monkeypatch):
    trainer = trainer_of(objective={"num_negatives": 4}, loops=False)
    batches = [np.array(users) for users in ([2], [3, 7], [4], [5], [2, 3])]
    # 1, 7, 5, 3 and 3 positions of 5 + 4 numbers each.
    for at_once, numbers, expected in (
        (32, 1 << 22, [5]),
        (2, 1 << 22, [2, 2, 1]),
        (32, 9 * 8, [2, 2, 1]),
        (32, 9 * 8 - 1, [1, 1, 1, 2]),
        (32, 9 * 6 - 1, [1] * 5),
        (32, 1, [1] * 5),
    ):
        monkeypatch.setattr(steps, "PREPARED_AT_ONCE", at_once)
        monkeypatch.setattr(steps, "PREPARED_NUMBERS", numbers)
        together = list(trainer.steps._together(batches))
        assert [len(part) for part in together] == expected, numbers
        assert [users.tolist() for part in together for users in part] == [
            users.tolist() for users in batches
        ]


def test_a_step_is_let_go_before_the_next_is_prepared(monkeypatch):
    monkeypatch.setattr(steps, "PREPARED_NUMBERS", 1)
    trainer, alive = trainer_of(batch_size=1, loops=False), []
    make = trainer.steps.make

    def watched(*arguments):
        assert not any(reference() for reference in alive), "a step is still held"
        step = make(*arguments)
        alive.append(weakref.ref(step.prepared.drawn[0][0]))
        return step

    monkeypatch.setattr(trainer.steps, "make", watched)
    trainer.run_epoch(1)
    assert len(alive) == 5


def test_negatives_prepared_for_each_batch_are_those_of_all_users_at_once(monkeypatch):
    interactions = sum(map(len, HISTORIES))
    results = []
    for most in (interactions, interactions - 1):
        monkeypatch.setattr(uniform, "SAMPLED_AT_ONCE", most)
        negatives = trainer_of(loops=False).objective.terms[0].negatives
        assert (negatives._of_all is None) == (most < interactions)
        results.append(losses_of_two_epochs())
    assert results[0] == results[1]


@pytest.mark.parametrize("num_negatives", [1, 4])
def test_the_loss_of_a_model_that_knows_nothing(num_negatives):
    objective = {"num_negatives": num_negatives}
    trainer = trainer_of(objective=objective, learning_rate=1e-12, loops=False)
    with torch.no_grad():
        trainer.model.item_embedding.zero_()
    # Every sigmoid is 1/2, of the target and of each negative.
    expected = (1 + num_negatives) * math.log(2)
    assert trainer.run_epoch(1).loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loops", [True, False])
def test_the_loss_over_all_items_of_a_model_that_knows_nothing(loops):
    trainer = trainer_of(objective={"loss": "cross_entropy"}, learning_rate=1e-12, loops=loops)
    with torch.no_grad():
        trainer.model.item_embedding.zero_()
    assert trainer.run_epoch(1).loss == pytest.approx(math.log(13), rel=1e-5)


def trained_bytes(folder, seed, loops, dropout=0.5):
    sequences, targets = circle(count=23)
    settings = {"config": {"dropout": dropout}, "loops": loops}
    trainer = trainer_of(sequences, num_items=11, seed=seed, model_seed=seed, **settings)
    loss = trainer.objective.loss
    fit(trainer, lambda: validate(trainer.model, trainer.reader, targets, loss), lambda line: None)
    folder.mkdir()
    save_model(folder, trainer.model, DESCRIPTION)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("loops", [True, False])
def test_the_same_seed_gives_the_same_bytes(tmp_path, loops):
    first, again = (trained_bytes(tmp_path / name, 5, loops) for name in ("first", "again"))
    assert sorted(first) == ["model.json", "model.safetensors"]
    assert first == again
    other = trained_bytes(tmp_path / "other", 6, loops)
    assert other["model.safetensors"] != first["model.safetensors"]


def test_two_threads_give_the_same_bytes_each_time():
    histories = np.random.default_rng(1).integers(1, 200, (32, 101))  # enough for both threads
    before, weights = torch.get_num_threads(), []
    torch.set_num_threads(2)
    for _ in range(2):
        config = {"hidden_size": 48, "max_length": 100, "dropout": 0.2}
        trainer = trainer_of(toy_sequences(histories), num_items=400, config=config, batch_size=32)
        trainer.run_epoch(1)
        weights.append(trainer.model.state_dict())
    torch.set_num_threads(before)
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name


def test_a_seed_is_more_than_the_initial_weights():
    losses = {
        trainer_of(seed=seed, model_seed=1, loops=False).run_epoch(1).loss for seed in (1, 2, 3)
    }
    assert len(losses) == 3


def test_dropout_follows_the_seed_of_the_epoch_alone():
    trainers = [trainer_of(config={"dropout": 0.5}, loops=False) for _ in range(2)]
    trainers[1].model.dropout.units(1000)  # whatever was drawn before
    trainers[1].model.eval()  # as a ranking may leave it
    assert trainers[0].run_epoch(2).loss == trainers[1].run_epoch(2).loss


def test_what_ran_before_does_not_change_an_epoch():
    trainer = trainer_of(learning_rate=1e-30, loops=False)
    losses = [trainer.run_epoch(epoch).loss for epoch in (1, 2, 1)]
    assert losses[0] == losses[2] != losses[1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loops": False},
        {"kernels": "plain"},
        {"precision": "bfloat16"},
        {"objective": {"num_negatives": 2}},
        {"objective": {"loss": "gbce", "num_negatives": 2}},
        {"objective": {"loss": "cross_entropy"}},
        {"loops": False, "objective": {"loss": "cross_entropy"}},
    ],
)
def test_the_next_item_of_a_circle_is_learnt(changes):
    sequences, targets = circle()
    config = {"hidden_size": 16, "num_heads": 2}
    trainer = trainer_of(
        sequences, num_items=11, batch_size=16, epochs=25, config=config, **changes
    )
    losses = [trainer.run_epoch(epoch).loss for epoch in range(1, 26)]
    assert losses[-1] < losses[0] / 4
    assert hit_rate_at_one(trainer, targets) > 0.97
    assert all(weight.dtype == torch.float32 for weight in trainer.model.parameters())


@pytest.mark.parametrize("residual", [True, False])
def test_bfloat16_is_another_precision(residual):
    config = {"residual": residual}
    full, mixed = (
        trainer_of(precision=name, config=config, loops=False).run_epoch(1).loss
        for name in ("float32", "bfloat16")
    )
    assert full != mixed
    assert mixed == pytest.approx(full, rel=0.02)


@pytest.mark.filterwarnings("ignore")  # of the compiler, not ours
def test_a_compiled_model_trains_like_the_other(monkeypatch):
    # Traced whole, forward and backward, but run by torch: generating C++ takes half a minute.
    compile_ = torch.compile
    losses = []
    for compiler in (
        lambda model, **_options: model,
        lambda model, **_options: compile_(model, backend="aot_eager"),
    ):
        monkeypatch.setattr(torch, "compile", compiler)
        trainer = trainer_of(batch_size=8, compile=True)
        losses.append([trainer.run_epoch(epoch).loss for epoch in (1, 2)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_the_optimizer_is_adam_with_the_papers_settings():
    trainer = trainer_of(learning_rate=0.003, loops=False)
    assert isinstance(trainer.optimizer._adam, torch.optim.Adam)
    (group,) = trainer.optimizer._adam.param_groups
    assert (group["lr"], group["betas"], group["weight_decay"]) == (0.003, (0.9, 0.98), 0)
    (weights,) = group["params"]  # all as one
    assert weights.numel() == sum(weight.numel() for weight in trainer.model.parameters())


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_padding_stays_zero(loss, loops):
    trainer = trainer_of(objective={"loss": loss}, loops=loops)
    trainer.run_epoch(1)
    assert not trainer.model.item_embedding[0].any()


def test_diverged_training_is_a_sentence():
    trainer = trainer_of(learning_rate=1e38, batch_size=1)
    with pytest.raises(UserError, match=r"lower train.learning_rate = 1e\+38") as caught:
        fit(trainer, pytest.fail, lambda line: None)
    assert "the loss of epoch 1 is" in str(caught.value)


def test_nan_weights_are_a_sentence():
    trainer = trainer_of()
    with torch.no_grad():
        trainer.model.last_norm.weight[0] = math.nan
    with pytest.raises(UserError, match="the loss of epoch 7 is nan"):
        trainer.run_epoch(7)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_loss_that_is_no_number_is_a_sentence(value, monkeypatch):
    trainer = trainer_of()
    monkeypatch.setattr(trainer, "_learn", lambda step: torch.tensor(value))
    with pytest.raises(UserError, match=f"the loss of epoch 2 is {value}"):
        trainer.run_epoch(2)


def test_users_without_positions_or_negatives_are_left_out(monkeypatch):
    histories = [[1, 2], [3, 1, 2], [2], [], [2, 3, 1, 1], [1, 3, 3]]
    trainer = trainer_of(toy_sequences(histories), num_items=3, batch_size=1, loops=False)
    assert trainer.users.tolist() == [1, 6]
    assert trainer.left_out == {
        "with fewer than two items in training, none of which has a next one": 2,
        "with all 3 items in training, so that no negative is left": 2,
    }
    batches, _ = record_batches(trainer, monkeypatch)
    assert trainer.run_epoch(1).interactions == 1 + 2
    assert sorted(batch.users.item() for batch in batches) == [1, 6]


def test_a_loss_over_all_items_learns_from_users_who_know_all_of_them():
    histories = [[1, 2], [3, 1, 2], [2], [], [2, 3, 1, 1], [1, 3, 3]]
    settings = {"objective": {"loss": "cross_entropy"}, "loops": False}
    trainer = trainer_of(toy_sequences(histories), num_items=3, **settings)
    assert trainer.users.tolist() == [1, 2, 5, 6]
    assert list(trainer.left_out.values()) == [2]
    assert trainer.run_epoch(1).interactions == 1 + 2 + 3 + 2


def test_nobody_is_left_out_where_all_can_be_learnt_from():
    assert trainer_of(toy_sequences([[1, 2], [2, 3]]), num_items=3).left_out == {}


def test_nobody_to_learn_from_is_a_sentence():
    with pytest.raises(UserError) as caught:
        trainer_of(toy_sequences([[3, 1, 2], [2], [1]]), num_items=3)
    assert str(caught.value) == (
        "no user is left to train on (users 2 with fewer than two items in training, none of which "
        "has a next one; 1 with all 3 items in training, so that no negative is left): bring users "
        "with more items, or more items than one user has"
    )
    with pytest.raises(UserError, match=r"\(users 1 with fewer than two [^;]*\):"):  # and all items
        trainer_of(toy_sequences([[1]]), num_items=1)


def test_a_saved_model_ranks_as_before(tmp_path):
    sequences, targets = circle(count=23)
    trainer = trainer_of(sequences, num_items=11, loops=False)
    trainer.run_epoch(1)
    save_model(tmp_path, trainer.model, DESCRIPTION)
    reader = SequenceReader(sequences, 5, CPU, layout="packed")
    loss = trainer.objective.loss
    before = rank_targets(ModelScores(trainer.model, reader), targets, loss=loss)
    after = rank_targets(ModelScores(load_model(tmp_path, CPU), reader), targets, loss=loss)
    assert not np.isnan(before.losses).any()
    assert np.array_equal(before.losses, after.losses)
    assert np.array_equal(before.full, after.full)
    shorter = replace(targets, users=targets.users[:3], items=targets.items[:3])
    shorter = replace(shorter, candidates=targets.candidates[:3])
    again = rank_targets(ModelScores(trainer.model, reader), shorter)
    assert np.array_equal(again.full, before.full[:3])
