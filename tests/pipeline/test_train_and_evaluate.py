"""The scripts train and evaluate: what they write, against what their files and parameters say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy_stages import NUM_ITEMS, NUM_USERS, PARAMS, run, set_params, tree

import evaluate
import train
from sasrec.base.temporaries import final_path
from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.prepare import layout_for, prepare
from sasrec.model.checkpoint import load_model
from sasrec.model.config import ModelConfig
from sasrec.model.sasrec import SASRec
from sasrec.ranking import evaluation, validation
from sasrec.ranking.baselines.running import measure_baselines
from sasrec.ranking.baselines.tables import BASELINES
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores
from sasrec.training import building, fitting, records
from sasrec.training.timings import find_timing


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
    metrics = json.loads((folder / "metrics/train_details.json").read_text())
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

    def fit_seen(trainer, validate, *others):
        model = trainer.model
        seen["weights"] = {name: weight.clone() for name, weight in model.state_dict().items()}
        seen["validation"] = validate()
        seen["trainer"] = trainer
        seen["history"] = fitting.fit(trainer, validate, *others)
        return seen["history"]

    monkeypatch.setattr(train, "fit", fit_seen)
    monkeypatch.setattr(
        building, "prepare", lambda *given, **how: seen.update(prepared=(given, how))
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
    (prepared, loss), how = seen["prepared"]
    assert prepared is trainer.model
    assert loss is trainer.objective.loss
    assert (how["kernels"], how["loops"]) == (PARAMS["train"]["kernels"], True)
    sizes = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}
    sequences = Sequences.load(folder / "data/split/train", **sizes)
    np.testing.assert_array_equal(trainer.reader.sequences.items, sequences.items)
    targets = Targets.load(folder / "data/split/valid", **sizes)
    reader = SequenceReader(sequences, 4, torch.device("cpu"), layout="grouped")
    assert seen["validation"] == validation.validate(model, reader, targets, loss)

    loaded = load_model(folder / "data/model", torch.device("cpu"))
    torch.testing.assert_close(
        dict(loaded.state_dict()), dict(trainer.model.state_dict()), rtol=0, atol=0
    )
    description = json.loads((folder / "data/model/model.json").read_text())
    assert description["kernels"] == expected.pop("kernels")
    assert description["train"] == expected
    assert description["objective"] == PARAMS["objective"]
    assert description["best_epoch"] == history.best_epoch
    split_facts = json.loads((folder / "data/split/train/dataset.json").read_text())
    assert description["data"] == split_facts
    metrics = json.loads((folder / "metrics/train_details.json").read_text())
    assert metrics == records.train_details(history, config, "sampled_5")
    for name, curve in records.curves(history).items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"data/model/{name}.csv"), curve)


@pytest.mark.parametrize("filter_seen", [True, False])
def test_what_evaluate_writes(folder, monkeypatch, filter_seen):
    """Every number and picture, against a ranking that is put together here."""
    changes = {"ks": [1, 3], "filter_seen": filter_seen, "bootstrap_samples": 123, "seed": 9}
    changes |= {"baselines": ["markov", "popularity"]}
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
    prepare(model)
    reader = SequenceReader(histories, 4, cpu, layout=layout_for(model))
    ranks = rank_targets(ModelScores(model, reader), targets, filter_seen=filter_seen, top_k=10)
    params = EvaluateParams.model_validate({**changes, "device": "cpu"})
    expected = evaluation.evaluate(ranks, targets, histories, NUM_ITEMS, params)
    sequences = Sequences.load(folder / "data/split/train", **sizes)
    baselines = measure_baselines(sequences, targets, histories, NUM_ITEMS, params)
    for path, content in (
        ("metrics/test.json", expected.headline),
        ("metrics/test_details.json", expected.metrics),
        ("metrics/baselines.json", baselines),
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
    metrics = json.loads((folder / "metrics/test_details.json").read_text())
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


def test_what_tables_show_are_a_few_of_the_details(pipeline):
    folder, printed = pipeline
    shown, details = (
        {name: json.loads((folder / f"metrics/{name}{kind}.json").read_text()) for name in names}
        for kind, names in (("", ("train", "test")), ("_details", ("train", "test")))
    )
    assert details["train"]["best_epoch"] == shown["train"].pop("best_epoch")
    for protocol in ("sampled_5", "full"):
        valid = details["train"]["valid"][protocol]
        assert shown["train"]["valid"].pop(protocol) == {"NDCG@10": valid["NDCG@10"]}
        found = shown["test"].pop(protocol)
        assert found == {name: details["test"][protocol][name] for name in ("HR@10", "NDCG@10")}
    assert shown == {"train": {"valid": {}}, "test": {}}
    baselines = json.loads((folder / "metrics/baselines.json").read_text())
    assert list(baselines) == PARAMS["evaluate"]["baselines"] == list(BASELINES)
    for name, metrics in baselines.items():
        assert metrics.keys() == details["test"].keys()
        expected = details["test"]["full"].keys() - {"target_in_history"}
        assert metrics["full"].keys() == expected
        hits = metrics["sampled_5"]["HR@10"]
        assert f"baseline {name}: sampled_5 HR@10 {hits:.4f} " in printed["evaluate"]


def test_no_baseline_is_an_empty_object(folder):
    set_params(folder, evaluate__baselines=[])
    evaluate.main()
    assert json.loads((folder / "metrics/baselines.json").read_text()) == {}


def test_evaluate_is_the_same_twice(folder):
    before = tree(folder)
    evaluate.main()
    assert tree(folder) == before


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"objective__loss": "cross_entropy"},
        {"objective__loss": "gbce"},
        {"model__feed_forward": "swiglu"},
        {"model__position": "rotary"},
    ],
    ids=str,
)
def test_other_parts_by_plain_kernels(folder, monkeypatch, capsys, change):
    """Evaluate computes as train did: model.json says how."""
    set_params(folder, train__epochs=1, train__kernels="plain", **change)
    train.main()
    assert ": plain PyTorch" in capsys.readouterr().out
    description = json.loads((folder / "data/model/model.json").read_text())
    assert description["kernels"] == "plain"
    for name, value in change.items():
        section, key = name.split("__")
        held = description["config" if section == "model" else section]
        assert held[key] == value
    asked = []
    prepare_model = evaluate.prepare

    def prepare_seen(model, **how):
        asked.append(how["kernels"])
        prepare_model(model, **how)

    monkeypatch.setattr(evaluate, "prepare", prepare_seen)
    evaluate.main()
    assert asked == ["plain"]
    ranks = pd.read_csv(folder / "data/evaluation/ranks.csv")
    assert ranks["full"].between(1, NUM_ITEMS).all()
