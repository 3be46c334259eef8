"""The model card and the item table, as `export.py --no-onnx` writes them from a run's files."""

import json
import re

import pandas as pd
import pytest
import yaml
from toy_exports import DATA, run_export, write_facts
from toy_stages import NUM_ITEMS, NUM_USERS, refuse

from sasrec.exporting.card import _quoted
from sasrec.exporting.markdown import code, escaped
from sasrec.exporting.run_facts import read_run


@pytest.fixture
def run(folder):
    write_facts(folder)
    return folder


@pytest.fixture
def card(run, monkeypatch):
    run_export(monkeypatch, "--no-onnx")
    return (run / "data/export/model_card.md").read_text("utf-8")


def metrics(folder, name):
    return json.loads((folder / f"metrics/{name}.json").read_text())


def parts(card):
    """The YAML that the hub reads, and the page."""
    _, front, page = card.split("---\n", 2)
    return yaml.safe_load(front), page


def test_the_front_matter_is_the_metrics(card, run):
    front, _ = parts(card)
    assert front["license"] == "other"
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert result["dataset"] == {"type": "toy", "name": "toy", "split": "test"}
    test = metrics(run, "test_details")
    for metric in result["metrics"]:
        key, protocol = re.fullmatch(r"(\S+) \((\S+)\)", metric["name"]).groups()
        assert metric["value"] == test[protocol][key]
        assert metric["type"] == key.lower()
    keys = {"HR@1", "HR@10", "NDCG@10", "MRR"}
    assert {metric["name"] for metric in result["metrics"]} == {
        f"{key} ({protocol})" for key in keys for protocol in ("sampled_5", "full")
    }


def test_metrics_stand_with_intervals_beside_the_baselines(card, run):
    test, intervals, baselines = (
        metrics(run, name) for name in ("test_details", "intervals", "baselines")
    )
    for protocol in ("sampled_5", "full"):
        section = card.split(f"`{protocol}`, {test[protocol]['users']} users:")[1]
        head, _, *rows = section.strip().split("\n\n")[0].splitlines()
        assert head == f"|  | this model | {' | '.join(baselines)} |"
        for row in rows:
            key, own, *others = (cell.strip() for cell in row.strip("|").split("|"))
            ends = intervals[protocol][key]
            shown = (test[protocol][key], ends["low"], ends["high"])
            assert own == "{:.4f} ({:.4f} to {:.4f})".format(*shown)
            assert others == [f"{each[protocol][key]:.4f}" for each in baselines.values()]


def test_data_without_times_has_no_share_of_equal_ones(run, monkeypatch):
    data = metrics(run, "data")
    del data["equal_time_share"]  # as preprocess leaves it out
    (run / "metrics/data.json").write_text(json.dumps(data))
    run_export(monkeypatch, "--no-onnx")
    assert "have the same time" not in (run / "data/export/model_card.md").read_text("utf-8")


def test_data_and_parameters(card, run):
    model = json.loads((run / "data/model/model.json").read_text())
    count = model["data"]["num_interactions"]
    assert f"{count} interactions of {NUM_USERS} users with {NUM_ITEMS} items" in card
    assert "| dropped before | 3 by duplicates |" in card
    assert "mean 4.4, median 4, most 7" in card
    assert f"of all pairs {DATA['density']:.2%}" in card
    for section in ("objective", "train"):
        for key, value in model[section].items():
            if not isinstance(value, dict):
                assert f"| `{section}.{key}` | {code(value)} |" in card
    assert f"epoch {model['best_epoch']} is kept, the best on validation; seed 1." in card
    assert "12.5% of interactions have the same time" in card
    assert "6.2% of users' last items are in nobody's training" in card
    assert "fewer than 3" not in card


def test_texts_of_strangers_are_texts(card):
    assert r"| origin | a \<b\>shop\</b\> \| \`x\`\n\# y |".replace(r"\n", r"\\n") in card
    assert r"ask \*first\*" in card
    assert escaped("a]\u202e(b)") == r"a\]\\u202e(b)"


def test_the_first_history_of_the_card(card):
    assert card.count('history=["i1", "i2"]') == 1
    assert _quoted('a"\\b') == r'"a\"\\b"'
    assert _quoted("a\u202eb\n```") == r"'a\u202eb\n```'"
    assert "onnx" not in card


def test_the_item_table(card, run):
    items = pd.read_csv(run / "data/export/items.csv")
    assert items.columns.tolist() == ["number", "item", "title"]
    assert items.loc[16].tolist() == [17, "i17", "Title 17"]
    assert len(items) == NUM_ITEMS


def spoil(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


SPOILT = {
    "metrics/data.json": (lambda c: c.update(num_items=5), "data.json is of other data"),
    "metrics/train_details.json": (lambda c: c.update(best_epoch=9), "is not of data/model"),
    "metrics/intervals.json": (lambda c: c.pop("full"), "intervals.json lacks full"),
    "data/raw/source.json": (lambda c: c.update(dataset="x"), "data/raw holds x, data/model is of"),
}


@pytest.mark.parametrize(("name", "change", "message"), [(k, *v) for k, v in SPOILT.items()])
def test_files_of_another_run_are_refused(run, name, change, message):
    spoil(run / name, change)
    refuse(read_run, run, message)


def test_metrics_of_the_model_before_are_refused(run):
    weights = run / "data/model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")  # as another training gives others
    refuse(read_run, run, r"not of data/model: run `python stages/evaluate\.py` first")


@pytest.mark.parametrize("name", ["data/raw/source.json", "metrics/test_details.json"])
def test_what_is_missing_names_its_stage(run, name):
    (run / name).unlink()
    refuse(read_run, run, f"{name} not found: run `python stages/(download|evaluate).py` first")
