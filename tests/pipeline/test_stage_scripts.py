"""Stage scripts: one at a time, and what split, train and evaluate write."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import toy_data_stages
import yaml
from toy_stages import NUM_ITEMS, NUM_USERS, PARAMS, STAGES, run, set_params, tree

import download
import evaluate
import preprocess
import split
import train
from sasrec.base.errors import UserError
from sasrec.base.lock import only_one
from sasrec.base.temporaries import final_path
from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.model.checkpoint import load_model
from sasrec.model.config import ModelConfig
from sasrec.model.sasrec import SASRec
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.tables import LOSSES
from sasrec.ranking import evaluation, validation
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import rank_targets
from sasrec.training import fitting, records
from sasrec.training.timings import find_timing


def test_scripts_print_their_docstring(tmp_path):
    finished = run(tmp_path, "split", "--help")
    assert finished.returncode == 0
    assert split.__doc__ in finished.stdout


# One at a time


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (download, "data/raw"),
        (preprocess, "data/interactions"),
        (split, "data/split"),
        (train, "data/model"),
        (evaluate, "data/evaluation"),
    ],
)
def test_a_second_run_is_refused(folder, stage, name):
    (folder / "mine.csv").write_text("user,item\n1,2\n")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    columns = toy_data_stages.DATA["columns"] | {"timestamp": None, "rating": None}
    params["data"] = toy_data_stages.DATA | {"columns": columns}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with stage.OUTPUTS.new():
        before = sorted(folder.rglob("*"))
        with pytest.raises(UserError, match=f"another process is writing {name}"):
            stage.main()
        assert sorted(folder.rglob("*")) == before


def test_a_killed_process_releases_the_lock(tmp_path):
    code = (
        "import pathlib, time\nfrom sasrec.base.lock import only_one\n"
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


# The pipeline


def test_what_download_writes(here, monkeypatch, capsys):
    toy_data_stages.set_params(here, name="ml-1m", path="other.csv")
    told = {"dataset": "toy", "origin": "a shop", "sha256": {"x.csv": "00", "y.csv": "11"}}

    def collect(params, folder):
        assert (params.name, params.path) == ("ml-1m", "other.csv")
        (folder / "x.csv").write_text("x")
        return told

    monkeypatch.setattr(download, "collect", collect)
    download.main()
    assert json.loads((here / "data/raw/source.json").read_text()) == told
    assert sorted(path.name for path in (here / "data/raw").iterdir()) == ["source.json", "x.csv"]
    assert capsys.readouterr().out == "ml-1m: x.csv, y.csv from a shop, in data/raw/\n"


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
    offsets, known = (
        np.load(folder / f"data/split/test/{name}.npy") for name in ("offsets", "items")
    )
    tested = set(test_users.tolist())
    for user, history in histories.items():
        expected = history[:-1] if user in tested else history
        assert known[offsets[user] : offsets[user + 1]].tolist() == expected
    for part in ("train", "test"):
        copy = json.loads((folder / f"data/split/{part}/dataset.json").read_text())
        assert len(copy.pop("split")) == 16
        assert copy == json.loads((folder / "data/interactions/dataset.json").read_text())
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


def test_loops_give_the_same_bytes_in_every_process(folder):
    """Code that a process compiles itself may round otherwise than the same code loaded."""
    set_params(folder, train__kernels="auto", model__dropout=0.2)
    results = []
    for _ in range(2):
        finished = run(folder, "train")
        assert finished.returncode == 0, finished.stderr
        assert "blocks, inputs, norms, loss: compiled loops" in finished.stdout
        results.append(tree(folder / "data/model"))
    assert results[0] == results[1]


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


@pytest.mark.parametrize("kernels", ["auto", "plain"])
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_trains_and_ranks_by_the_kernels_that_train_names(folder, capsys, loss, kernels):
    set_params(folder, train__epochs=1, train__kernels=kernels, objective__loss=loss)
    train.main()
    said = capsys.readouterr().out
    evaluate.main()
    ranked = capsys.readouterr().out
    description = json.loads((folder / "data/model/model.json").read_text())
    assert (description["kernels"], description["objective"]["loss"]) == (kernels, loss)
    plain = "blocks, inputs, norms{}, last states: plain PyTorch"
    assert (plain.format(", loss") in said) == (plain.format("") in ranked) == (kernels == "plain")
    assert ("blocks, inputs, norms" in ranked and "compiled loops" in ranked) == (kernels == "auto")
    validation = pd.read_csv(folder / "data/model/validation.csv")
    assert validation["valid_loss"].gt(0).all()
    assert 0 < json.loads((folder / "metrics/test.json").read_text())["full"]["MRR"] <= 1


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


def test_what_train_trains(folder, monkeypatch):
    """Everything that the script passes on, against what its files and parameters say."""
    set_params(folder, train__seed=5, train__epochs=2, model__num_heads=2, evaluate__seed=77)
    seen = {}

    def fit_seen(trainer, validate, report):
        model = trainer.model
        seen["weights"] = {name: weight.clone() for name, weight in model.state_dict().items()}
        seen["validation"] = validate()
        seen["trainer"] = trainer
        seen["history"] = fitting.fit(trainer, validate, report)
        return seen["history"]

    monkeypatch.setattr(train, "fit", fit_seen)
    monkeypatch.setattr(
        train, "prepare", lambda *given, **options: seen.update(prepared=given, options=options)
    )
    train.main()
    trainer, history = seen["trainer"], seen["history"]

    config = ModelConfig.model_validate(PARAMS["model"] | {"dropout": 0.5, "num_heads": 2})
    model = SASRec(config, NUM_ITEMS, seed=5)
    assert trainer.model.config == config
    torch.testing.assert_close(seen["weights"], dict(model.state_dict()), rtol=0, atol=0)
    expected = PARAMS["train"] | {"seed": 5, "epochs": 2}
    assert trainer.params.model_dump() == expected
    assert trainer.device == torch.device("cpu")
    assert seen["prepared"] == (trainer.model, trainer.objective.loss)
    assert (seen["options"]["kernels"], seen["options"]["loops"]) == ("plain", True)
    sizes = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}
    sequences = Sequences.load(folder / "data/split/train", **sizes)
    np.testing.assert_array_equal(trainer.reader.sequences.items, sequences.items)
    targets = Targets.load(folder / "data/split/valid", **sizes)
    reader = SequenceReader(sequences, 4, torch.device("cpu"), layout="grouped")
    objective = ObjectiveParams.model_validate(PARAMS["objective"])
    loss = LOSSES[objective.loss](objective, NUM_ITEMS)
    assert seen["validation"] == validation.validate(model, reader, targets, loss)

    loaded = load_model(folder / "data/model", torch.device("cpu"))
    torch.testing.assert_close(
        dict(loaded.state_dict()), dict(trainer.model.state_dict()), rtol=0, atol=0
    )
    description = json.loads((folder / "data/model/model.json").read_text())
    assert description["kernels"] == expected.pop("kernels") == "plain"
    assert description["train"] == expected
    assert description["objective"] == PARAMS["objective"]
    assert description["best_epoch"] == history.best_epoch
    split_facts = json.loads((folder / "data/split/train/dataset.json").read_text())
    assert description["data"] == split_facts
    metrics = json.loads((folder / "metrics/train.json").read_text())
    assert metrics == records.train_metrics(history, config, "sampled_5")
    for name, curve in records.curves(history).items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"data/model/{name}.csv"), curve)


@pytest.mark.parametrize("filter_seen", [True, False])
def test_what_evaluate_writes(folder, monkeypatch, filter_seen):
    """Every number and picture, against a ranking that is put together here."""
    changes = {"ks": [1, 3], "filter_seen": filter_seen, "bootstrap_samples": 123, "seed": 9}
    set_params(folder, **{f"evaluate__{key}": value for key, value in changes.items()})
    drawn = {}
    for name in ("draw_training", "draw_by_length", "draw_by_rank"):
        monkeypatch.setattr(evaluate, name, lambda *given, name=name: drawn.update({name: given}))
    evaluate.main()

    cpu = torch.device("cpu")
    sizes = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}
    histories = Sequences.load(folder / "data/split/test", **sizes)
    targets = Targets.load(folder / "data/split/test", **sizes)
    model = load_model(folder / "data/model", cpu)
    reader = SequenceReader(histories, 4, cpu, layout="grouped")
    ranks = rank_targets(model, reader, targets, filter_seen=filter_seen, top_k=10)
    params = EvaluateParams.model_validate({**changes, "device": "cpu"})
    expected = evaluation.evaluate(ranks, targets, histories, NUM_ITEMS, params)
    for path, content in (
        ("metrics/test.json", expected.metrics),
        ("metrics/intervals.json", expected.intervals),
    ):
        assert json.loads((folder / path).read_text()) == json.loads(json.dumps(content))
    training, curve = (pd.read_csv(f"data/model/{name}.csv") for name in ("training", "validation"))
    for path, table in (
        ("data/evaluation/ranks.csv", expected.ranks),
        ("plots/by_history_length.csv", expected.by_length),
        ("plots/by_rank.csv", expected.by_rank),
        ("plots/training.csv", training),
        ("plots/validation.csv", curve),
    ):
        assert (folder / path).read_text() == table.to_csv(index=False)
    best = json.loads((folder / "data/model/model.json").read_text())["best_epoch"]
    for name, path, given in (
        ("draw_training", "training", (training, curve, best)),
        ("draw_by_length", "by_history_length", (expected.by_length,)),
        ("draw_by_rank", "by_rank", (expected.by_rank,)),
    ):
        *tables, target = drawn[name]
        assert final_path(target) == Path(f"plots/{path}.png")
        for found, wanted in zip(tables, given, strict=True):
            if isinstance(wanted, pd.DataFrame):
                pd.testing.assert_frame_equal(found, wanted)
            else:
                assert found == wanted


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
