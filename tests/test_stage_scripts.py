"""Stage scripts: how they end, and split, train and evaluate in a folder with a toy dataset."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import load_file, save_file
from toys import TRAIN_PARAMS

import evaluate
import split
import train
from sasrec.errors import UserError
from sasrec.lock import only_one

STAGES = Path(__file__).parents[1] / "stages"
NUM_USERS, NUM_ITEMS = 29, 17
PARAMS = {
    "split": {
        "strategy": "leave_one_out",
        "valid_fraction": 0.1,
        "test_fraction": 0.1,
        "num_candidates": 5,
        "seed": 1,
    },
    "model": {
        "variant": "paper",
        "hidden_size": 6,
        "num_blocks": 1,
        "num_heads": 1,
        "max_length": 4,
        "dropout": "auto",
        "output_projection": False,
        "position_embedding": True,
        "tied_embedding": True,
        "residual": True,
        "initialisation": "xavier_uniform",
    },
    "train": TRAIN_PARAMS.model_dump()
    | {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "seed": 1, "device": "cpu"},
    "evaluate": {
        "ks": [1, 10],
        "filter_seen": True,
        "bootstrap_samples": 100,
        "seed": 1,
        "device": "cpu",
    },
}


def write_interactions(folder):
    """29 users of 2 to 7 items; times rise over all of them, in turns."""
    lengths = np.arange(NUM_USERS) % 6 + 2
    generator = np.random.default_rng(1)
    columns = {
        "user": np.repeat(np.arange(1, NUM_USERS + 1), lengths).astype(np.int32),
        "item": generator.integers(1, NUM_ITEMS + 1, lengths.sum()).astype(np.int32),
        "timestamp": np.concatenate([np.arange(n) * 100 + 7 for n in lengths]).astype(np.int64),
    }
    folder.mkdir(parents=True)
    for name, column in columns.items():
        np.save(folder / f"{name}.npy", column)
    dataset = {
        "name": "toy",
        "num_users": NUM_USERS,
        "num_items": NUM_ITEMS,
        "num_interactions": int(lengths.sum()),
        "has_timestamps": True,
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))


def set_params(folder, **changes):
    """Write params.yaml with changes as section__key=value."""
    params = {section: dict(values) for section, values in PARAMS.items()}
    for name, value in changes.items():
        section, key = name.split("__")
        params[section][key] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def run(folder, stage, *arguments, before=None):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(STAGES / f"{stage}.py"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, preexec_fn=before, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def tree(folder):
    """Every file below `folder` and what it holds, but locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def sentence_of(finished, stage):
    """The one line of a stage that failed for a reason that the user can mend."""
    assert finished.returncode == 1, finished.stderr
    assert finished.stdout.count("Traceback") == finished.stderr.count("Traceback") == 0
    (line,) = finished.stderr.splitlines()
    assert line.startswith(f"{stage}.py: error: ")
    return line


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    """A folder in which split, train and evaluate have run as scripts; and what they printed."""
    folder = tmp_path_factory.mktemp("pipeline")
    write_interactions(folder / "data" / "interactions")
    set_params(folder)
    printed = {}
    for stage in ("split", "train", "evaluate"):
        finished = run(folder, stage)
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr == ""
        printed[stage] = finished.stdout
    return folder, printed


@pytest.fixture
def folder(pipeline, tmp_path, monkeypatch):
    """A copy of that folder to spoil, as the working directory."""
    copy = tmp_path / "copy"
    shutil.copytree(pipeline[0], copy)
    monkeypatch.chdir(copy)
    return copy


def refuse(main, folder, message):
    """`main` fails with a sentence that holds `message`, and changes nothing."""
    before = tree(folder)
    with pytest.raises(UserError, match=message) as caught:
        main()
    assert "\n" not in str(caught.value)
    assert tree(folder) == before


def test_scripts_print_their_docstring(tmp_path):
    finished = run(tmp_path, "split", "--help")
    assert finished.returncode == 0
    assert split.__doc__ in finished.stdout


# The lock


def test_only_one_at_a_time(tmp_path):
    with only_one(tmp_path / "data" / "model"):
        with (
            pytest.raises(UserError, match=r"another process is writing .*data/model"),
            only_one(tmp_path / "data" / "model"),
        ):
            pytest.fail("two at a time")
        with only_one(tmp_path / "data" / "other"):
            pass
    with only_one(tmp_path / "data" / "model"):
        pass


def test_a_killed_process_releases_the_lock(tmp_path):
    code = (
        "import pathlib, time\nfrom sasrec.lock import only_one\n"
        "with only_one(pathlib.Path('model')):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(STAGES)}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process.stdout:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process"), only_one(tmp_path / "model"):
            pytest.fail("two at a time")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with only_one(tmp_path / "model"):
        pass


def test_a_second_training_is_refused(folder):
    with only_one(folder / "data" / "model"):
        refuse(train.main, folder, "another process is writing data/model")


# The pipeline


def test_split_writes_what_it_says(pipeline):
    folder, printed = pipeline
    users = np.load(folder / "data/interactions/user.npy")
    items = np.load(folder / "data/interactions/item.npy")
    histories = {user: items[users == user].tolist() for user in range(1, NUM_USERS + 1)}
    offsets, train_items, valid_users, valid_items, test_users, test_items = (
        np.load(folder / "data/split" / name)
        for name in (
            "train/offsets.npy",
            "train/items.npy",
            "valid/target_users.npy",
            "valid/target_items.npy",
            "test/target_users.npy",
            "test/target_items.npy",
        )
    )
    assert valid_users.tolist() == test_users.tolist()
    together = {user: train_items[offsets[user] : offsets[user + 1]].tolist() for user in histories}
    for user, second, last in zip(valid_users, valid_items, test_items, strict=True):
        together[user] += [second, last]
    assert together == histories
    for part in ("valid", "test"):
        for user, row in zip(
            valid_users, np.load(folder / f"data/split/{part}/candidates.npy"), strict=True
        ):
            assert len(set(row)) == 5
            assert not set(row) & set(histories[user])
    assert (
        f"{len(train_items)} interactions to train on, {len(valid_users)} users" in printed["split"]
    )


def test_split_is_the_same_twice_and_follows_its_seed(folder):
    before = tree(folder / "data/split")
    split.main()
    assert tree(folder / "data/split") == before
    set_params(folder, split__seed=2)
    split.main()
    after = tree(folder / "data/split")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"valid/candidates.npy", "test/candidates.npy"}


def test_split_by_time(folder):
    set_params(folder, split__strategy="time", split__valid_fraction=0.2)
    split.main()
    sizes = [len(np.load(f"data/split/{part}/items.npy")) for part in ("train", "test")]
    total = len(np.load("data/interactions/item.npy"))
    # Times are shared by many users, so that a cut falls a little early.
    assert 0.5 * total < sizes[0] <= 0.7 * total < sizes[1] <= 0.9 * total


def test_train_twice_gives_the_same_bytes(folder):
    before = tree(folder / "data/model")
    assert sorted(before) == [
        "model.json",
        "model.safetensors",
        "training.csv",
        "validation.csv",
    ]
    shutil.rmtree(folder / "data/model")
    finished = run(folder, "train")
    assert finished.returncode == 0, finished.stderr
    assert tree(folder / "data/model") == before
    set_params(folder, train__seed=2)
    train.main()
    assert (folder / "data/model/model.safetensors").read_bytes() != before["model.safetensors"]


def test_train_writes_what_it_says(pipeline):
    folder, printed = pipeline
    metrics = json.loads((folder / "metrics/train.json").read_text())
    validation = pd.read_csv(folder / "data/model/validation.csv").set_index("epoch")
    best = metrics["best_epoch"]
    assert best == validation["sampled_NDCG@10"].idxmax()
    kept = validation.loc[best]
    assert metrics["valid"]["sampled_5"]["NDCG@10"] == pytest.approx(
        kept["sampled_NDCG@10"], abs=1e-6
    )
    assert metrics["valid"]["full"]["HR@10"] == pytest.approx(kept["full_HR@10"], abs=1e-6)
    assert metrics["hyperparameters"] == {"max_length": 4, "dropout": 0.5}
    assert printed["train"].startswith("training paper on toy: ")
    assert sum(line.startswith("epoch ") for line in printed["train"].splitlines()) == 3


def test_evaluate_writes_what_it_says(pipeline):
    folder, printed = pipeline
    metrics = json.loads((folder / "metrics/test.json").read_text())
    ranks = pd.read_csv(folder / "data/evaluation/ranks.csv")
    assert list(metrics) == ["sampled_5", "full"]
    for protocol in metrics:
        assert metrics[protocol]["HR@1"] == pytest.approx((ranks[protocol] <= 1).mean())
        assert metrics[protocol]["MRR"] == pytest.approx((1 / ranks[protocol]).mean())
        assert f"{protocol}: HR@1 {metrics[protocol]['HR@1']:.4f}" in printed["evaluate"]
    assert ranks["sampled_5"].between(1, 6).all()
    names = ("training", "validation", "by_history_length", "by_rank")
    assert {path.name for path in (folder / "plots").iterdir()} == {
        *(f"{name}.csv" for name in names),
        "training.png",
        "by_history_length.png",
        "by_rank.png",
    }
    for name in ("training", "validation"):
        copy = folder / "plots" / f"{name}.csv"
        assert copy.read_bytes() == (folder / "data/model" / f"{name}.csv").read_bytes()


def test_evaluate_is_the_same_twice(folder):
    before = tree(folder)
    evaluate.main()
    assert tree(folder) == before


# What is wrong is said in a sentence, and nothing is written


@pytest.mark.parametrize(
    ("main", "missing", "message"),
    [
        (split.main, "data/interactions/item.npy", "item.npy not found: run the stage that writes"),
        (train.main, "data/split", "data/split/train/dataset.json not found: run the stage"),
        (train.main, "data/split/valid/candidates.npy", "candidates.npy not found: run the stage"),
        (evaluate.main, "data/split/test/items.npy", "items.npy not found: run the stage"),
        (evaluate.main, "data/model/model.json", "model.json not found: run the stage"),
        (evaluate.main, "data/model/model.safetensors", "not found: run `python stages/train.py`"),
        (evaluate.main, "data/model/validation.csv", "validation.csv not found: run the stage"),
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
        (split.main, {"split__num_candidates": 16}, "leaves only 15 of 17 items|leaves only"),
        (train.main, {"model__variant": "best"}, "model.variant = 'best'"),
        (train.main, {"model__dropout": 1.5}, "model.dropout = 1.5"),
        (train.main, {"train__epoch": 3}, "train.epoch: unknown key .*did you mean epochs"),
        (train.main, {"train__learning_rate": 1e38}, "training diverged"),
        (evaluate.main, {"evaluate__ks": [10, 1]}, "rising cut-offs"),
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
        (train.main, "train/offsets.npy", lambda x: np.delete(x, 9), "28 users"),
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
