"""What stage scripts say of wrong parameters and files: a sentence, and nothing is written."""

import json
import resource
import shutil
import sys

import numpy as np
import pytest
import toy_data_stages
from safetensors.numpy import load_file, save_file
from toy_stages import refuse, run, sentence_of, set_params, tree

import evaluate
import preprocess
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
            "data/split/train",
            "data/split/train/dataset.json not found: run `python stages/split.py` first",
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
        (
            train.main,
            {"model__dropout": 0.0, "objective__contrasts": ["dropout"]},
            "contrasts with dropout, where model.dropout and model.item_dropout are 0",
        ),
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


@pytest.mark.parametrize(
    ("main", "path", "content", "message"),
    [
        (split.main, "interactions/dataset.json", "[]", "holds a list, expected an object"),
        (split.main, "interactions/dataset.json", {"num_users": "29"}, "num_users = '29'"),
        (split.main, "interactions/dataset.json", {"num_items": -1}, "num_items = -1"),
        (split.main, "interactions/dataset.json", {"num_users": 10**12}, "from 1 to 1000000000000"),
        (split.main, "interactions/dataset.json", {"has_timestamps": None}, "has_timestamps"),
        (train.main, "split/train/dataset.json", '{"name": "toy"}', "num_users is missing"),
        (train.main, "split/train/dataset.json", {"name": 3}, "name = 3"),
        (evaluate.main, "split/test/dataset.json", {"num_items": 1.5}, "num_items = 1.5"),
        (evaluate.main, "split/test/dataset.json", "", "is not valid JSON"),
        (evaluate.main, "model/model.json", {"best_epoch": 0}, "best_epoch = 0"),
        (evaluate.main, "model/model.json", {"config": []}, "config = .*dictionary"),
        (evaluate.main, "model/model.json", {"num_items": 10**12}, r"shape \(18, 6\), expected"),
        (evaluate.main, "model/training.csv", "", "training.csv is not valid CSV"),
        (evaluate.main, "model/training.csv", "epoch,loss\n1,2\n", "lacks the column train_loss"),
        (evaluate.main, "model/validation.csv", "epoch\n1\n", "lacks the column valid_loss and"),
    ],
)
def test_what_a_stage_passes_on_is_checked_before_work(
    folder, monkeypatch, main, path, content, message
):
    monkeypatch.setattr(evaluate, "rank_targets", pytest.fail)
    monkeypatch.setattr(train, "launch", pytest.fail)
    monkeypatch.setattr(train, "fit", pytest.fail)
    file = folder / "data" / path
    if isinstance(content, dict):
        content = json.dumps(json.loads(file.read_text()) | content)
    file.write_text(content)
    refuse(main, folder, f"data/{path}.*{message}.*; run `python stages/|{message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "source.json not found: run `python stages/download.py` first"),
        ("{}", "source.json: dataset is missing; run `python stages/download.py` again"),
        ('{"dataset": "local", "origin": null, "sha256": {}}', "origin = None"),
        ('{"dataset": "local", "origin": "x", "sha256": []}', r"sha256 = \[\]"),
        ('{"dataset": "ml-1m", "origin": "x", "sha256": {}}', "data/raw holds ml-1m, but"),
    ],
)
def test_what_download_passes_on_is_checked(here, content, message):
    toy_data_stages.set_params(here)
    (here / "data/raw").mkdir(parents=True)
    if content is not None:
        (here / "data/raw/source.json").write_text(content)
    refuse(preprocess.main, here, message)


@pytest.mark.parametrize(
    ("main", "path", "content", "message"),
    [
        (split.main, "interactions/user.npy", np.zeros((2, 2), np.int32), "has the shape"),
        (split.main, "interactions/item.npy", np.zeros(3, np.int64), "holds int64, expected int32"),
        (split.main, "interactions/timestamp.npy", np.int64(3), r"has the shape \(\)"),
        (train.main, "split/train/items.npy", np.zeros((2, 2), np.int32), "has the shape"),
        (train.main, "split/train/offsets.npy", np.zeros(0, np.int64), "0 offsets, expected 31"),
        (train.main, "split/valid/target_users.npy", np.zeros((5, 1), np.int32), "has the shape"),
        (train.main, "split/valid/candidates.npy", np.zeros(24, np.int32), "has the shape"),
        (train.main, "split/valid/candidates.npy", np.zeros((24, 0), np.int32), "no candidate"),
        (evaluate.main, "split/test/offsets.npy", np.arange(31) + 1, "does not fit"),
        (
            evaluate.main,
            "split/test/candidates.npy",
            np.zeros((3, 5), np.int32),
            "for 3 do",
        ),
    ],
)
def test_arrays_of_other_shapes(folder, main, path, content, message):
    np.save(folder / "data" / path, content)
    refuse(main, folder, message)


@pytest.mark.parametrize(
    ("main", "work", "target", "is_folder"),
    [
        (split.main, "read_interactions", "data/split/valid", False),
        (train.main, "build", "data/model", False),
        (train.main, "build", "metrics/train.json", True),
        (evaluate.main, "rank_targets", "data/evaluation", False),
        (evaluate.main, "rank_targets", "metrics/intervals.json", True),
        (evaluate.main, "measure_baselines", "metrics/baselines.json", True),
        (evaluate.main, "rank_targets", "plots/by_rank.csv", True),
        (evaluate.main, "rank_targets", "plots/training.png", True),
    ],
)
def test_an_output_of_another_kind_is_told_before_work(
    folder, monkeypatch, main, work, target, is_folder
):
    monkeypatch.setattr(sys.modules[main.__module__], work, pytest.fail)
    path = folder / target
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    path.mkdir() if is_folder else path.write_text("")
    what = "a folder, expected a file" if is_folder else "a file, expected a folder"
    refuse(main, folder, f"{target} is {what}: move it away")


def test_train_checks_where_evaluate_will_compute(folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(train, "fit", pytest.fail)
    set_params(folder, evaluate__device="cuda")
    refuse(train.main, folder, "evaluate.device = 'cuda'")


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
    refuse(evaluate.main, folder, f"data/model is of other data than .* {num_items} items")


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
