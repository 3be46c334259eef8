"""Items that users take again: one option holds in validation, test and recommendation."""

import json

import numpy as np
import pytest
import torch
from toy_stages import run, set_params
from toys import toy_objective_params, toy_sequences

import evaluate
import train
from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.model.checkpoint import load_model, read_description
from sasrec.objectives.tables import LOSSES
from sasrec.ranking.ranks import MANY_REPEATS, note_on_repeats
from sasrec.ranking.validation import validate

CPU = torch.device("cpu")
SIZES = {"num_users": 29, "num_items": 17}


def loaded(folder, histories, targets):
    split = folder / "data/split"
    return Sequences.load(split / histories, **SIZES), Targets.load(split / targets, **SIZES)


def full_metrics(folder, name):
    return json.loads((folder / "metrics" / f"{name}_details.json").read_text())


@pytest.mark.parametrize("filter_seen", [True, False])
def test_validation_and_test_rank_by_the_option_and_the_model_knows_it(folder, filter_seen):
    set_params(folder, evaluate__filter_seen=filter_seen)
    train.main()
    model = load_model(folder / "data/model", CPU)
    assert read_description(folder / "data/model").filter_seen is filter_seen
    sequences, targets = loaded(folder, "train", "valid")
    reader = SequenceReader(sequences, model.config.max_length, CPU, layout="packed")
    loss = LOSSES["binary_cross_entropy"](toy_objective_params(), model.num_items)
    found = full_metrics(folder, "train")["valid"]["full"]
    expected, other = (
        validate(model, reader, targets, loss, filter_seen=option).full
        for option in (filter_seen, not filter_seen)
    )
    assert found["MRR"] == pytest.approx(expected["MRR"], abs=1e-6)
    assert found["MRR"] != pytest.approx(other["MRR"], abs=1e-3)


def test_the_share_of_repeated_targets_is_told(folder, capsys):
    histories, targets = loaded(folder, "test", "test")
    again = [
        item in histories.of(user) for user, item in zip(targets.users, targets.items, strict=True)
    ]
    assert 0 < sum(again) < len(again)
    evaluate.main()
    share = sum(again) / len(again)
    assert full_metrics(folder, "test")["full"]["target_in_history"] == pytest.approx(
        share, abs=1e-6
    )
    assert f"Mind: {share:.1%} of the targets" in capsys.readouterr().out
    set_params(folder, evaluate__filter_seen=False)
    evaluate.main()
    assert "Mind" not in capsys.readouterr().out


def test_train_tells_it_of_validation(folder):
    sequences, targets = loaded(folder, "train", "valid")
    share = targets.share_in_history(sequences)
    finished = run(folder, "train")
    assert f"Mind: {share:.1%} of the targets are in the user's history already" in finished.stdout


def test_the_share_by_hand():
    targets = Targets(np.array([1, 2, 4]), np.array([3, 2, 9]), np.zeros((3, 1), np.int32))
    assert targets.share_in_history(toy_sequences([[3, 1], [5], [2], [9, 9]])) == 2 / 3


def test_a_note_only_where_it_matters():
    assert note_on_repeats(MANY_REPEATS / 2, filter_seen=True) is None
    assert note_on_repeats(0.5, filter_seen=False) is None
    assert "50.0% of the targets" in note_on_repeats(0.5, filter_seen=True)
