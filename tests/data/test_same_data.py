"""A model never meets other data than it was trained on, however alike their sizes are."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT
from toy_stages import refuse, set_params

import evaluate
import preprocess
import split
import train


def facts(folder, part):
    return json.loads((folder / f"data/split/{part}/dataset.json").read_text())


@pytest.fixture
def other_data(folder):
    """The toy data but for one item of one user, cut anew; the model is still that of before."""
    path = folder / "data/interactions/item.npy"
    items = np.load(path)
    items[0] = items[0] % 17 + 1
    np.save(path, items)
    split.main()
    return folder


def test_evaluate_stops_at_a_model_of_other_data_until_it_is_trained(other_data):
    message = "data/model is of other data than data/split/test: .* run `python stages/train.py`"
    refuse(evaluate.main, other_data, message)
    train.main()
    evaluate.main()


@pytest.mark.parametrize(
    "changes",
    [
        {"split__strategy": "time", "split__valid_fraction": 0.2},
        {"split__strategy": "time", "split__test_fraction": 0.3},
    ],
)
def test_evaluate_stops_at_a_model_of_another_split(folder, changes):
    """Its training items may be the targets here."""
    set_params(folder, **changes)
    split.main()
    refuse(evaluate.main, folder, "other data than data/split/test")


def test_other_candidates_are_the_same_split(folder):
    set_params(folder, split__num_candidates=7, split__seed=5)
    before = facts(folder, "test")
    split.main()
    assert facts(folder, "test") == before
    evaluate.main()
    assert "sampled_7" in json.loads((folder / "metrics/test.json").read_text())


def test_train_stops_at_validation_targets_of_another_split(folder):
    kept = folder / "kept"
    shutil.copytree(folder / "data/split/valid", kept)
    set_params(folder, split__strategy="time", split__valid_fraction=0.2)
    split.main()
    shutil.rmtree(folder / "data/split/valid")
    kept.rename(folder / "data/split/valid")
    refuse(
        train.main, folder, "data/split/train is of other data than data/split/valid: .*split.py"
    )


def test_evaluate_stops_at_training_sequences_of_another_split(folder):
    """The baselines would know the targets."""
    kept = folder / "kept"
    shutil.copytree(folder / "data/split/test", kept)
    set_params(folder, split__strategy="time", split__valid_fraction=0.2)
    split.main()
    shutil.rmtree(folder / "data/split/test")
    kept.rename(folder / "data/split/test")
    message = "data/split/train is of other data than data/split/test: .*split.py"
    refuse(evaluate.main, folder, message)


def test_all_parts_of_a_split_say_the_same(folder):
    assert facts(folder, "train") == facts(folder, "valid") == facts(folder, "test")
    described = json.loads((folder / "data/model/model.json").read_text())["data"]
    assert described == facts(folder, "test")


SAME_SIZES = {
    "another item's name": ("item", 3, "tea"),
    "another user's name": ("user", slice(2, None), "eve"),
    "another order": ("timestamp", 1, 1_700_000_500),
}
BASE = pd.DataFrame(
    {
        "user": ["ann", "ann", "ben", "ben"],
        "item": ["tea", "milk", "tea", "jam"],
        "timestamp": [1_700_000_000 + 60 * n for n in range(4)],
    }
)


def preprocessed(folder, table):
    """The fingerprint of a table as the user's own file."""
    raw = folder / "data/raw"
    raw.mkdir(parents=True, exist_ok=True)
    table.to_csv(raw / "interactions.csv", index=False)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"] |= {"name": "local", "min_interactions": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    source = {"dataset": "local", "origin": "mine.csv", "sha256": {}}
    (raw / "source.json").write_text(json.dumps(source))
    preprocess.main()
    return json.loads((folder / "data/interactions/dataset.json").read_text())["fingerprint"]


@pytest.mark.parametrize(("column", "rows", "value"), SAME_SIZES.values(), ids=SAME_SIZES)
def test_the_fingerprint_knows_names_and_order(here, column, rows, value):
    table = BASE.copy()
    table.loc[table.index[rows], column] = value
    first = preprocessed(here, BASE)
    assert preprocessed(here, table) != first
    assert preprocessed(here, BASE) == first
