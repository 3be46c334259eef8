"""The stage scripts on a toy dataset: parameters, interactions, and how a run ended."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import yaml
from places import STAGES
from toys import SECTIONS

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Details, write_catalogue

NUM_USERS, NUM_ITEMS = 29, 17
SMALL = {
    "split": {"num_candidates": 5},
    "model": {"hidden_size": 6, "num_blocks": 1, "max_length": 4},
    "train": {
        "epochs": 3,
        "batch_size": 8,
        "learning_rate": 0.01,
        "device": "cpu",
        "kernels": "plain",  # which compiles nothing
    },
    "evaluate": {"ks": [1, 10], "bootstrap_samples": 100, "device": "cpu"},
}
STAGE_SECTIONS = ("split", "model", "objective", "train", "evaluate")
PARAMS = {section: SECTIONS[section] | SMALL.get(section, {}) for section in STAGE_SECTIONS}


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
        "has_ratings": False,
        "has_timestamps": True,
        "time_unit": "s",
        "fingerprint": "0123456789abcdef",
    }
    (folder / "dataset.json").write_text(json.dumps(dataset))
    write_catalogue(folder / "users.csv", [f"u{n}" for n in range(1, NUM_USERS + 1)], Details())
    titles = {f"i{n}": (f"Title {n}",) for n in range(1, NUM_ITEMS + 1)}
    write_catalogue(folder / "items.csv", list(titles), Details(("title",), titles))


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


def refuse(main, folder, message):
    """`main` fails with a sentence that holds `message`, and changes nothing."""
    before = tree(folder)
    with pytest.raises(UserError, match=message) as caught:
        main()
    assert "\n" not in str(caught.value)
    assert tree(folder) == before
