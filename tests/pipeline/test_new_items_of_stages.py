"""Items held out as new, through split, train and evaluate."""

import json

import numpy as np
import pytest
import torch
from toy_stages import NUM_ITEMS, NUM_USERS, PARAMS, refuse, set_params

import evaluate
import split
import train
from sasrec.batching.batches import SequenceReader
from sasrec.data.catalogue import Details, write_catalogue
from sasrec.data.cold import read_cold_test
from sasrec.data.facts import read_split_facts
from sasrec.data.features import read_features
from sasrec.data.sequences import Sequences
from sasrec.model.checkpoint import load_model
from sasrec.ranking.cold import measure_cold
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.scoring import ModelScores
from sasrec.training.new_items import fill_new_items

CPU = torch.device("cpu")
COUNTS = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}


@pytest.fixture
def cold(folder):
    """The toy data with genres and years, of which a fifth of the items is held out."""
    rows = {f"i{n}": ("Drama|War" if n % 3 else "War", f"19{n + 50}") for n in range(1, 18)}
    items = folder / "data/interactions/items.csv"
    write_catalogue(items, list(rows), Details(("genres", "year"), rows))
    set_params(folder, split__cold_items=0.2)
    split.main()
    return folder


def described(folder):
    return json.loads((folder / "data/model/model.json").read_text())


def test_new_items_are_filled_and_measured(cold, capsys):
    train.main()
    plain = load_model(cold / "data/model", CPU)
    assert "items_from_content" not in described(cold)
    set_params(cold, split__cold_items=0.2, train__new_items="content")
    train.main()
    assert described(cold)["items_from_content"] == 3
    assert "3 items that training never saw" in capsys.readouterr().out

    # The same model but for what its features say of the items held out.
    sequences = Sequences.load(cold / "data/split/train", **COUNTS)
    fill_new_items(plain, read_features(cold / "data/split/train"), sequences)
    model = load_model(cold / "data/model", CPU)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, plain.state_dict()[name])

    evaluate.main()
    details = json.loads((cold / "metrics/test_details.json").read_text())
    folder = cold / "data/split/test"
    test = read_cold_test(folder, read_split_facts(folder))
    warm = test.warm_histories(NUM_ITEMS)
    scores = ModelScores(model, SequenceReader(warm, 4, CPU, layout="packed"))
    params = EvaluateParams.model_validate(PARAMS["evaluate"])
    assert details["cold"] == measure_cold(scores, sequences, test, params)
    printed = capsys.readouterr().out
    assert f"new items: 3 that training never saw, {len(test.users)} users" in printed
    assert "\namong_cold: model HR@10 1.0000" in printed


def test_without_new_items_nothing_is_said_of_them(folder):
    assert "cold" not in json.loads((folder / "metrics/test_details.json").read_text())
    evaluate.main()
    assert "cold" not in json.loads((folder / "metrics/test_details.json").read_text())


def test_a_model_of_other_items_held_out_is_refused(cold):
    refuse(evaluate.main, cold, "data/model is of other data than data/split/test")


def test_content_that_the_dataset_lacks_is_refused(folder):
    set_params(folder, train__new_items="content")
    refuse(train.main, folder, "train.new_items = 'content' needs genres or years of items")


def test_a_damaged_test_of_new_items_is_refused(cold):
    train.main()
    path = cold / "data/split/test/cold/target_users.npy"
    np.save(path, np.load(path)[1:])
    refuse(evaluate.main, cold, "do not fit together; run `python stages/split.py` again")
