"""The stages download and preprocess on a small file, as scripts and as functions."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from places import ROOT, STAGES
from toy_sources import T

from sasrec.base.errors import UserError

CSV = f"""user,item,rating,timestamp
ben,tea,4,{T + 200}
ann,"bread, rye",5,{T + 100}
ben,"bread, rye",5,{T + 300}
ann,tea,2,{T + 300}
ann,tea,3,{T + 300}
ann,tea,3,{T + 400}
cleo,milk,3,{T + 400}
"""
DATA: dict[str, Any] = {
    "name": "local",
    "path": "mine.csv",
    "columns": {
        "user": "user", "item": "item", "timestamp": "timestamp", "rating": "rating",
        "order": None,
    },
    "delimiter": "auto",
    "encoding": "auto",
    "quoted": True,
    "time_unit": "s",
    "time_format": "auto",
    "missing_time": "refuse",
    "missing_id": "refuse",
    "items": {
        "path": str(ROOT / "examples/no_items.csv"),
        "columns": {"id": "item", "title": None, "year": None, "genres": None, "others": []},
        "genre_separator": "|",
        "repeated": "refuse",
        "delimiter": "auto",
        "encoding": "auto",
        "quoted": True,
    },
    "min_rating": None,
    "min_interactions": 2,
    "filter": "once",
    "synthetic": {"num_users": 53, "num_items": 101, "num_interactions": 1009, "seed": 1},
}  # fmt: skip


def set_params(folder: Path, **changes: Any) -> None:
    (folder / "params.yaml").write_text(yaml.safe_dump({"data": {**DATA, **changes}}))


def run(
    folder: Path, stage: str, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    command = [sys.executable, str(STAGES / f"{stage}.py")]
    return subprocess.run(
        command, cwd=folder, env=environment, preexec_fn=before, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def succeed(folder: Path, *stages: str) -> str:
    output = ""
    for stage in stages:
        done = run(folder, stage)
        assert done.returncode == 0
        assert all(line.startswith("Mind: ") for line in done.stderr.splitlines())
        output += done.stdout + done.stderr
    return output


def fail(folder: Path, stage: str, before: Callable[[], None] | None = None) -> str:
    """The sentence that a script fails with."""
    done = run(folder, stage, before)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert_nothing_written(folder, stage)
    start = f"{stage}.py: error: "
    assert done.stderr.startswith(start)
    return done.stderr.removeprefix(start)


def refuse(folder: Path, main: Callable[[], None]) -> str:
    """The sentence of a stage that is called as a function."""
    with pytest.raises(UserError) as error:
        main()
    assert "\n" not in str(error.value)
    assert_nothing_written(folder, main.__module__)
    return str(error.value)


def assert_nothing_written(folder: Path, stage: str) -> None:
    output = {"download": "raw", "preprocess": "interactions"}[stage]
    assert {path.suffix for path in folder.glob(f"data/*{output}*")} <= {".lock"}
    assert not (folder / "metrics").exists()


def read(folder: Path) -> dict[str, list]:
    return {
        path.stem: np.load(path).tolist() for path in (folder / "data/interactions").glob("*.npy")
    }


def write_source(folder: Path, suffix: str) -> None:
    frame = pd.read_csv(folder / "mine.csv")
    if suffix == ".tsv":
        frame.to_csv(folder / "mine.tsv", sep="\t", index=False)
    elif suffix == ".parquet":
        frame.to_parquet(folder / "mine.parquet")
