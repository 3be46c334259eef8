"""What stage scripts say of wrong parameters and files: a sentence, and nothing is written."""

import json
import resource
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from toy_stages import refuse, run, sentence_of, set_params, tree

import evaluate
import split
import train


@pytest.mark.parametrize(
    ("main", "missing", "message"),
    [
        (
            split.main,
            "data/interactions/item.npy",
            "item.npy not found: run `python stages/preprocess.py` first",
        ),
        (
            train.main,
            "data/split",
            "data/split/train/dataset.json not found: run `python stages/split.py` first",
        ),
        (
            train.main,
            "data/split/valid/candidates.npy",
            "candidates.npy not found: run `python stages/split.py` first",
        ),
        (
            evaluate.main,
            "data/split/test/items.npy",
            "items.npy not found: run `python stages/split.py` first",
        ),
        (
            evaluate.main,
            "data/model/model.json",
            "model.json not found: run `python stages/train.py` first",
        ),
        (evaluate.main, "data/model/model.safetensors", "not found: run `python stages/train.py`"),
        (
            evaluate.main,
            "data/model/validation.csv",
            "validation.csv not found: run `python stages/train.py` first",
        ),
        (train.main, "params.yaml", "params.yaml not found"),
    ],
)
def test_a_missing_input(folder, main, missing, message):
    path = folder / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    refuse(main, folder, message)


@pytest.mark.parametrize(
    ("main", "changes", "message"),
    [
        (split.main, {"split__strategy": "random"}, "split.strategy = 'random'"),
        (split.main, {"split__num_candidates": 16}, "num_candidates = 16"),
        (train.main, {"model__variant": "best"}, "model.variant = 'best'"),
        (train.main, {"model__dropout": 1.5}, "model.dropout = 1.5"),
        (train.main, {"train__epoch": 3}, "train.epoch: unknown key .*did you mean epochs"),
        (train.main, {"train__learning_rate": 1e38}, "training diverged"),
        (evaluate.main, {"evaluate__ks": [10, 1]}, "rising cut-offs"),
        (train.main, {"evaluate__ks": [10, 1]}, "evaluate.ks = .* rising cut-offs"),
    ],
)
def test_a_wrong_parameter(folder, main, changes, message):
    set_params(folder, **changes)
    refuse(main, folder, message)


def test_time_needs_time_stamps(folder):
    path = folder / "data/interactions/dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"has_timestamps": False}))
    set_params(folder, split__strategy="time")
    refuse(split.main, folder, "needs time stamps")


@pytest.mark.parametrize(
    ("main", "name", "spoil", "message"),
    [
        (train.main, "train/items.npy", lambda x: x + 1, "expected 1 to 17"),
        (train.main, "train/items.npy", lambda x: x[:-1], "offsets.npy does not fit"),
        (train.main, "train/offsets.npy", lambda x: x[::-1], "offsets.npy does not fit"),
        (
            train.main,
            "train/offsets.npy",
            lambda x: np.delete(x, 9),
            "holds 30 offsets, expected 31 for 29 users",
        ),
        (train.main, "valid/target_users.npy", lambda x: x + 1, "expected users from 1 to 29"),
        (train.main, "valid/target_users.npy", lambda x: x[::-1], "ascending"),
        (evaluate.main, "test/candidates.npy", lambda x: x - 1, "candidates.npy: entry"),
        (evaluate.main, "test/target_items.npy", lambda x: x[1:], "do not fit together"),
    ],
)
def test_a_corrupt_split(folder, main, name, spoil, message):
    path = folder / "data/split" / name
    np.save(path, np.ascontiguousarray(spoil(np.load(path))))
    refuse(main, folder, message)


def spoil_weights(folder, spoil):
    path = folder / "data/model/model.safetensors"
    weights = load_file(path)
    spoil(weights)
    save_file(weights, path)


def test_nan_in_the_model_file(folder):
    spoil_weights(folder, lambda weights: weights["last_norm.bias"].fill(np.nan))
    before = tree(folder)
    assert "NaN or infinite" in sentence_of(run(folder, "evaluate"), "evaluate")
    assert tree(folder) == before


def test_a_model_file_that_does_not_fit(folder):
    spoil_weights(folder, lambda weights: weights.pop("last_norm.bias"))
    refuse(evaluate.main, folder, "does not fit model.json beside it")


@pytest.mark.parametrize("num_items", [13, 19])
def test_a_model_of_another_catalogue(folder, num_items):
    interactions = folder / "data/interactions"
    items = np.load(interactions / "item.npy")
    np.save(interactions / "item.npy", np.minimum(items, num_items).astype(np.int32))
    dataset = json.loads((interactions / "dataset.json").read_text())
    (interactions / "dataset.json").write_text(json.dumps(dataset | {"num_items": num_items}))
    shutil.copytree(folder / "data/split/test", folder / "kept")
    split.main()
    train.main()
    shutil.rmtree(folder / "data/split/test")
    (folder / "kept").rename(folder / "data/split/test")
    refuse(evaluate.main, folder, f"trained on {num_items} items")


@pytest.mark.parametrize("stage", ["split", "train", "evaluate"])
def test_a_full_disk(folder, stage):
    """A limit on the size of files stands in for it."""
    before = tree(folder)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    assert "cannot write or read a file: File too large" in sentence_of(
        run(folder, stage, before=limit), stage
    )
    assert tree(folder) == before
