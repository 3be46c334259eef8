"""Stage scripts: one at a time, and what split, train and evaluate write."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from toy_stages import NUM_USERS, STAGES, refuse, run, set_params, tree

import evaluate
import split
import train
from sasrec.errors import UserError
from sasrec.lock import only_one
from sasrec.timings import find_timing


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
    assert not {"seconds_per_epoch", "interactions_per_second"} & set(metrics)
    assert set(find_timing(folder, metrics)) == {"seconds_per_epoch", "interactions_per_second"}
    assert "training paper on toy: " in printed["train"]
    assert sum(line.startswith("epoch ") for line in printed["train"].splitlines()) == 3


def test_evaluate_writes_what_it_says(pipeline):
    folder, printed = pipeline
    metrics = json.loads((folder / "metrics/test.json").read_text())
    ranks = pd.read_csv(folder / "data/evaluation/ranks.csv")
    assert list(metrics) == ["sampled_5", "full"]
    for protocol in metrics:
        assert metrics[protocol]["HR@1"] == pytest.approx((ranks[protocol] <= 1).mean(), abs=1e-6)
        assert metrics[protocol]["MRR"] == pytest.approx((1 / ranks[protocol]).mean(), abs=1e-6)
        assert metrics[protocol]["users"] == len(ranks)
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
