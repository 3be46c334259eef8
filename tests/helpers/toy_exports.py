"""What an export reads beside what the toy stages leave, and rows of a graph's inputs."""

import json
import sys

import numpy as np
from toy_stages import NUM_ITEMS, NUM_USERS

from sasrec.exporting.onnx_file import PACKAGES

SOURCE = {
    "dataset": "toy",
    "origin": "a <b>shop</b> | `x`\n# y",
    "sha256": {"toy.csv": "00ff"},
    "licence": "ask *first*",
    "citation": "N. N. Toys. 2001.",
}
DATA = {
    "num_users": NUM_USERS,
    "num_items": NUM_ITEMS,
    "density": 0.257,
    "sequence_length": {"mean": 4.379, "median": 4.0, "max": 7},
    "equal_time_share": 0.125,
    "checks": {"unseen_targets": 0.0625, "short_histories": 0.0},
    "dropped": {"duplicates": 3, "min_rating": 0},
}


def write_facts(folder):
    """data/raw/source.json and metrics/data.json, which the toy stages do without."""
    (folder / "data/raw").mkdir()
    (folder / "data/raw/source.json").write_text(json.dumps(SOURCE))
    dataset = json.loads((folder / "data/interactions/dataset.json").read_text())
    data = DATA | {"num_interactions": dataset["num_interactions"]}
    (folder / "metrics/data.json").write_text(json.dumps(data))


def run_export(monkeypatch, *arguments):
    import export

    monkeypatch.setattr(sys, "argv", ["export.py", *arguments])
    export.main()


def padded(rows, width, dtype=np.int64, padding=0):
    """[B, width], padding first."""
    table = np.full((len(rows), width), padding, dtype)
    for place, row in enumerate(rows):
        table[place, width - len(row) :] = row
    return table


def need_packages(pytest):
    """Skip where what requirements-export.txt names is not there."""
    for name in PACKAGES:
        pytest.importorskip(name)
