"""The page of report.py without a browser: its numbers are the files', its text is inert."""

import json
import math
import re
import shutil
import sys
from html.parser import HTMLParser
from itertools import product

import numpy as np
import pandas as pd
import pytest
from toy_report import DATA, HOSTILE, finish, page_of
from toy_stages import refuse

import report
from sasrec.comparing.flatten import flatten
from sasrec.reporting import examples
from sasrec.reporting.paper import PAPER

NUMBERS = ("metrics/data.json", "metrics/test_details.json", "metrics/train.json")


class Tables(HTMLParser):
    """Tables by caption, each a list of rows of (text, number behind it); and other text."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.headings, self.text, self.tags = {}, {}, [], set()
        self._inside = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self._inside.append(tag)
        if tag == "caption":
            self._caption, self._rows = "", []
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            value = dict(attributes).get("data-value")
            self._rows[-1].append(["", None if value is None else float(value)])

    def handle_endtag(self, tag):
        if tag == "caption":
            self.tables.setdefault(self._caption, self._rows)
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "caption" in self._inside:
            self._caption += data
        elif {"td", "th"} & set(self._inside):
            self._rows[-1][-1][0] += data
        self.text.append(data)

    def rows(self, caption):
        """By the first cell: the number behind each other one, by its heading."""
        head, *rows = self.tables[caption]
        return {
            row[0][0]: {name[0]: cell for name, cell in zip(head[1:], row[1:], strict=True)}
            for row in rows
        }


@pytest.fixture
def finished(folder):
    finish(folder)
    return folder


def read(path):
    return json.loads(path.read_text())


def test_every_number_is_that_of_the_files(finished, monkeypatch):
    page = Tables(page_of(monkeypatch))
    facts = page.rows("Facts of the data")
    for name, value in flatten(DATA).items():
        text, number = facts[name]["workspace"]
        assert number == value or (isinstance(value, bool) and text == str(value).lower())
    kept = page.rows("The epoch that was kept (dashed in the charts)")
    for name, value in flatten(read(finished / "metrics/train.json")).items():
        assert kept[name]["workspace"][1] == value
    intervals = read(finished / "metrics/intervals.json")
    baselines = read(finished / "metrics/baselines.json")
    for protocol, metrics in read(finished / "metrics/test_details.json").items():
        rows = page.rows(f"Test metrics, {protocol}")
        assert list(rows) == ["workspace", *baselines]
        for name, value in metrics.items():
            text, number = rows["workspace"][name]
            assert number == value
            if name in intervals[protocol]:
                ends = intervals[protocol][name]
                assert text.endswith(f"{ends['low']:.4f} to {ends['high']:.4f}")
        for baseline, found in baselines.items():
            for name, value in found[protocol].items():
                assert rows[baseline][name][1] == value
    params = page.rows("All parameters")
    assert params["model.hidden_size"]["workspace"][1] == 6


def test_groups_are_those_of_the_files(finished, monkeypatch):
    page = Tables(page_of(monkeypatch))
    table = pd.read_csv(finished / "plots/by_history_length.csv")
    ((label, found),) = page.rows("By length of history").items()  # 29 users are one group
    row = table.iloc[0]
    assert label == row["range"]
    assert found["users"][1] == row["users"]
    assert found["history length"][1] == row["history_length"]
    for protocol, metric in product(("sampled", "full"), ("NDCG@10", "HR@10")):
        column = f"{protocol}_{metric}"
        text, number = found[column]
        assert number == row[column]
        assert text.endswith(f"{row[f'{column}_low']:.4f} to {row[f'{column}_high']:.4f}")
    head, row = page.tables["By popularity of the target"]
    found = dict(zip([name for name, _ in head], row, strict=True))
    ranks = pd.read_csv(finished / "data/evaluation/ranks.csv")
    counts = np.bincount(np.load(finished / "data/split/train/items.npy"), minlength=18)
    assert found["users"][1] == len(ranks)
    assert found["popularity"][1] == pytest.approx(counts[ranks["item"]].mean(), abs=1e-6)
    ndcg = [1 / math.log2(rank + 1) if rank <= 10 else 0 for rank in ranks["full"]]
    assert found["full_NDCG@10"][1] == pytest.approx(np.mean(ndcg), abs=1e-6)


def test_examples_stand_where_evaluate_ranked_them(finished, monkeypatch):
    text = page_of(monkeypatch)
    users = re.findall(r"<h3><bdi>User u(\d+)</bdi></h3>\s*<div[^>]*>\s*<table>", text)
    assert len(users) == 6
    assert page_of(monkeypatch) == text  # the same draw, the same bytes
    assert page_of(monkeypatch, "--seed", 2) != text
    ranks = pd.read_csv(finished / "data/evaluation/ranks.csv", index_col="user")
    expected = [float(ranks["full"][int(user)]) for user in users]
    pieces = text.split("<caption>Taken next</caption>")[1:]
    found = [float(re.findall(r'data-value="([\d.]+)"', piece)[0]) for piece in pieces]
    assert found == expected


def test_titles_of_strangers_are_text(finished, monkeypatch):
    text = page_of(monkeypatch)
    page = Tables(text)
    assert text.count("<script") == 1
    assert "img" not in page.tags
    shown = "".join(page.text)
    for title in HOSTILE:
        assert title in shown
    assert "49" not in [cell[0] for row in page.tables["Nearest items"] for cell in row]
    assert not re.findall(r'(?:src|href)="(?!#|data:)', text)
    assert "url(http" not in text


def test_warnings_are_said(finished, monkeypatch):
    shown = "".join(Tables(page_of(monkeypatch)).text)
    assert "75.0% of interactions have the same time" in shown
    assert "it follows the item's id" in shown
    assert "79.0% of the rows were dropped by data.min_interactions" in shown
    assert "the user with the most has 50.0% of all interactions" in shown
    assert "in nobody's training sequence" not in shown  # the limit itself is not too high
    assert "have the same time, so it orders nothing" not in shown


def test_runs_side_by_side(finished, monkeypatch, tmp_path):
    other = tmp_path / "<b>other</b>"
    shutil.copytree(finished, other)
    params = (other / "params.yaml").read_text()
    (other / "params.yaml").write_text(params.replace("epochs: 3", "epochs: 5"))
    details = read(other / "metrics/test_details.json")
    details["full"]["NDCG@10"] = 0.123456
    (other / "metrics/test_details.json").write_text(json.dumps(details))
    page = Tables(page_of(monkeypatch, "workspace", other))
    differ = page.rows("Parameters that differ")
    assert list(differ) == ["train.epochs"]
    assert [cell[1] for cell in differ["train.epochs"].values()] == [3, 5]
    rows = page.rows("Test metrics, full")
    assert rows[str(other)]["NDCG@10"][1] == 0.123456
    assert [name for name in rows if "popularity" in name] == ["popularity"]  # once, it is equal
    assert "b" not in page.tags


def test_the_papers_row_stands_where_data_and_protocol_are_its(finished, monkeypatch):
    path = finished / "params.yaml"
    path.write_text(path.read_text() + "data:\n  name: ml-1m-sasrec\n")
    for name in ("test_details", "intervals", "baselines"):
        path = finished / f"metrics/{name}.json"
        path.write_text(path.read_text().replace("sampled_5", "sampled_100"))
    page = Tables(page_of(monkeypatch))
    row = page.rows("Test metrics, sampled_100")["paper, ml-1m-sasrec"]
    assert {name: cell[1] for name, cell in row.items() if cell[0]} == PAPER["ml-1m-sasrec"]
    assert "paper, ml-1m-sasrec" not in page.rows("Test metrics, full")


def test_what_is_missing_is_said(here, monkeypatch):
    text = page_of(monkeypatch)
    for path in (*NUMBERS, "plots/training.csv", "data/evaluation/ranks.csv"):
        assert f"workspace: there is no {path}: `dvc repro` makes it" in text
    assert text.count("No run here has data/model in a folder") == 3
    assert "<table" not in text


def test_a_model_of_other_data_is_no_example(finished, monkeypatch):
    path = finished / "data/interactions/dataset.json"
    path.write_text(path.read_text().replace("0123456789abcdef", "fedcba9876543210"))
    text = page_of(monkeypatch)
    assert text.count("data/model is of other data than ") == 3
    assert "Test metrics, full" in text


def test_other_attention_is_not_shown(finished, monkeypatch):
    monkeypatch.setattr(examples, "SHOWS", "another")
    page = Tables(page_of(monkeypatch))
    shown = "".join(page.text)
    assert "model.attention is softmax with 1 block(s): weights are shown of another" in shown
    heads = [rows[0] for caption, rows in page.tables.items() if caption.startswith("The latest")]
    assert heads
    assert all([name for name, _ in head] == ["item", "steps back"] for head in heads)


def test_items_that_training_never_saw(finished, monkeypatch):
    path = finished / "metrics/test_details.json"
    path.write_text(json.dumps(read(path) | {"cold": {"users": 7, "full": {"HR@10": 0.25}}}))
    rows = Tables(page_of(monkeypatch)).rows("Items that training never saw (cold)")
    assert {name: cell["workspace"][1] for name, cell in rows.items()} == {
        "users": 7,
        "full.HR@10": 0.25,
    }


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("metrics/test_details.json", "{", "metrics/test_details.json is not valid JSON"),
        ("metrics/data.json", "[]", "metrics/data.json is not a JSON object"),
        ("metrics/intervals.json", '{"a": NaN}', "NaN is no number of JSON"),
        ("plots/training.csv", "a,b\n1,2\n", "lacks the column epoch and train_loss"),
        ("plots/validation.csv", "", "plots/validation.csv is not valid CSV"),
        ("data/evaluation/ranks.csv", "user\n", "ranks.csv has the columns user"),
    ],
)
def test_a_file_that_is_no_such_file_is_refused(finished, monkeypatch, path, content, message):
    (finished / path).write_text(content)
    monkeypatch.setattr(sys, "argv", ["report.py"])
    refuse(report.main, finished, message)


def test_an_unknown_run_is_refused(finished, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["report.py", "./nowhere"])
    refuse(report.main, finished, "no such folder or file")
