"""Training once more on validation's targets: what it learns from, and for how long."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy_stages import NUM_ITEMS, NUM_USERS, refuse, set_params
from toy_training import CPU, trainer_of
from toys import toy_sequences

import train
from sasrec.base.errors import UserError
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels import prepare
from sasrec.model.checkpoint import load_model
from sasrec.training.fitting import History, Progress
from sasrec.training.refitting import check_refit, refit, with_targets

rows_with_targets = st.lists(
    st.tuples(st.lists(st.integers(1, 23), max_size=5), st.none() | st.integers(1, 23)),
    min_size=1,
    max_size=11,
)


@given(rows=rows_with_targets)
def test_targets_come_to_the_end_of_their_users(rows):
    users = [user for user, (_, target) in enumerate(rows, 1) if target]
    items = [target for _, target in rows if target]
    targets = Targets(*(np.array(part, np.int32) for part in (users, items, [])))
    joined = with_targets(toy_sequences([row for row, _ in rows]), targets)
    assert joined.items.dtype == np.int32
    assert joined.num_users == len(rows)
    for user, (row, target) in enumerate(rows, 1):
        assert joined.of(user).tolist() == row + [target] * bool(target)
    assert joined.offsets[0] == joined.offsets[1] == 0


@pytest.mark.parametrize("average", ["none", "ema"])
def test_it_trains_for_so_many_epochs_at_the_same_rates(average):
    params = {"epochs": 5, "schedule": "cosine", "average": average, "loops": False}
    trainer, other, lines = trainer_of(**params), trainer_of(**params), []
    stats = refit(trainer, Progress(History(best_epoch=3)), lines.append)
    expected = [other.run_epoch(epoch) for epoch in (1, 2, 3)]
    assert stats.loss == expected[-1].loss
    with other.averaged():
        for weight, own in zip(
            other.model.state_dict().values(), trainer.model.state_dict().values(), strict=True
        ):
            assert torch.equal(weight, own)
    assert len(lines) == 3
    assert lines[1].startswith(f"refit, epoch 2/3  loss {expected[1].loss:.4f}  ")


def test_columns_of_targets_are_not_there():
    check_refit({"genres": "model.inputs with genres"})
    with pytest.raises(UserError) as caught:
        check_refit({"rating": "model.inputs with rating"})
    assert str(caught.value) == (
        "train.refit = true is for what learns from items alone: model.inputs with rating needs "
        "ratings, which split does not keep of validation's targets"
    )


def trained(folder):
    details = json.loads((folder / "metrics/train_details.json").read_text())
    return details, load_model(folder / "data/model", CPU).state_dict()


def test_the_stage_keeps_the_refitted_model(folder, monkeypatch, capsys):
    plain, weights = trained(folder)
    epochs, made = plain["best_epoch"], []

    def recorded(trainer, *arguments):
        made.append(trainer)
        return refit(trainer, *arguments)

    monkeypatch.setattr(train, "refit", recorded)
    compared = []
    monkeypatch.setattr(prepare, "check_drop_ins", lambda *given, **how: compared.append(given))
    set_params(folder, train__refit=True)
    train.main()
    details, refitted = trained(folder)
    lines = capsys.readouterr().out.splitlines()
    steps = [line for line in lines if line.startswith("refit, epoch ")]
    assert len(steps) == epochs
    assert details.pop("refit")["interactions"] > 0
    assert details == plain, "validation is of the model before"
    assert any(not torch.equal(refitted[name], weight) for name, weight in weights.items())
    assert len(compared) == 1
    (trainer,) = made
    for name, weight in trainer.model.state_dict().items():
        assert torch.equal(weight, refitted[name])
    sequences = trainer.reader.sequences
    sizes = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}
    histories = Sequences.load(folder / "data/split/test", **sizes)  # with validation's items
    assert np.array_equal(sequences.items, histories.items)
    assert np.array_equal(sequences.offsets, histories.offsets)
    described = json.loads((folder / "data/model/model.json").read_text())
    assert described["train"]["refit"] is True


def test_the_stage_refuses_what_reads_columns_before_it_trains(folder):
    set_params(folder, train__refit=True, model__inputs=["item", "time_gap"])
    refuse(train.main, folder, "train.refit = true is for what learns from items alone")
