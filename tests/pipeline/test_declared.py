"""What dvc.yaml declares of a stage is exactly what the stage reads, imports and writes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import yaml
from places import ROOT

from sasrec.base.temporaries import final_path

STAGES = ("download", "preprocess", "split", "train", "evaluate")

TOP = "stages/sasrec/__init__.py"

# Settings under which a stage reads keys that it does not read under others.
ALSO = {"download": ("data", {"name": "synthetic"}), "split": ("split", {"strategy": "time"})}

# Runs a stage and prints, last, each file below the working folder that it opened (r or w).
WATCH = """
import os, runpy, sys
here = os.getcwd() + os.sep
opened = set()
def hook(event, args):
    if event == "open" and isinstance(args[0], str | os.PathLike):
        path = os.path.abspath(os.fspath(args[0]))
        if path.startswith(here):
            flags = args[2] if isinstance(args[2], int) else 0
            writes = flags & (os.O_WRONLY | os.O_RDWR)
            opened.add(("w " if writes else "r ") + path[len(here):])
sys.dont_write_bytecode = True
sys.pycache_prefix = os.sep + "none"  # sources are read, whatever was compiled before
script = sys.argv.pop(1)
sys.argv[0] = script
sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
sys.addaudithook(hook)
runpy.run_path(script, run_name="__main__")
# It runs a module in another process where the cache is cold.
if "sasrec.kernels.compiling" in sys.modules:
    __import__(sys.modules["sasrec.kernels.compiling"].WARMUP)
print("\\n".join(["OPENED", *sorted(opened)]))
"""

# Runs a stage with params objects that record which of their keys are read.
WATCH_PARAMS = """
import os, runpy, sys
script = sys.argv.pop(1)
sys.argv[0] = script
sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
import sasrec.base.params
read = set()
load = sasrec.base.params.load_params
def recording(section, kind, *args):
    def getter(self, name):
        if name in kind.model_fields:
            read.add(f"{section}.{name}")
        if name == "model_dump":
            read.update(f"{section}.{key}" for key in kind.model_fields)
        return object.__getattribute__(self, name)
    params = load(section, kind, *args)
    watched = type(kind.__name__, (kind,), {"__getattribute__": getter})
    object.__setattr__(params, "__class__", watched)
    return params
sasrec.base.params.load_params = recording
runpy.run_path(script, run_name="__main__")
print("\\n".join(["READ", *sorted(read)]))
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the stages and a local dataset of 40 users, ready to run."""
    folder = tmp_path_factory.mktemp("declared")
    for name in ("stages", "params.yaml", "dvc.yaml"):
        (folder / name).symlink_to(ROOT / name)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    (folder / "params.yaml").unlink()
    params["data"] |= {"name": "local", "path": "mine.csv"}
    params["data"]["items"]["path"] = "mine_items.csv"
    (folder / "mine_items.csv").write_text("item\n")
    params["split"]["num_candidates"] = 5
    params["train"]["epochs"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    rows = [(user, f"i{(user * 7 + i) % 30}", 10**9 + i) for user in range(40) for i in range(12)]
    table = pd.DataFrame(rows, columns=["user", "item", "timestamp"])
    table.to_csv(folder / "mine.csv", index=False)
    return folder


def run(workspace: Path, program: str, stage: str, mark: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-c", program, f"stages/{stage}.py"],
        cwd=workspace,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    return lines[lines.index(mark) + 1 :]


@contextmanager
def changed_params(workspace: Path, section: str, values: dict) -> Iterator[None]:
    path = workspace / "params.yaml"
    before = path.read_text()
    params = yaml.safe_load(before)
    params[section] |= values
    path.write_text(yaml.safe_dump(params))
    yield
    path.write_text(before)


def declared(stage: str) -> dict:
    return yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][stage]


def names(entries: list) -> set[str]:
    """Paths of deps, outs or metrics, with or without options."""
    return {next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries}


def covering(path: str, paths: set[str]) -> str | None:
    """The declared path that `path` is or lies in."""
    return next((one for one in paths if path == one or path.startswith(one + "/")), None)


def test_packages_are_declared_as_folders() -> None:
    assert (ROOT / TOP).read_text() == "", "every stage reads it and none declares it"
    for stage in STAGES:
        own = {path for path in names(declared(stage)["deps"]) if path.startswith("stages/sasrec")}
        assert all((ROOT / path / "__init__.py").read_text() == "" for path in own), stage


def test_files(workspace: Path) -> None:
    for stage in STAGES:
        opened = run(workspace, WATCH, stage, "OPENED")
        reads = {str(final_path(line[2:])) for line in opened if line.startswith("r ")}
        writes = {str(final_path(line[2:])) for line in opened if line.startswith("w ")}
        entry = declared(stage)
        own = {"${data.path}": "mine.csv", "${data.items.path}": "mine_items.csv"}
        deps = {own.get(path, path) for path in names(entry["deps"])}
        outs = names(entry["outs"]) | names(entry.get("metrics", []))
        writes = {
            path
            for path in writes
            if not path.endswith(".lock")
            and "__pycache__" not in path
            and not path.startswith(".cache/")
        }
        reads -= {"params.yaml", TOP} | {path for path in reads if covering(path, outs)}
        reads = {path for path in reads if path.endswith(".py") or not path.startswith("stages")}
        reads = {path for path in reads if not path.startswith(".cache/")}
        reads.discard("stages/sasrec/__init__.py")  # nothing stands in it (test_imports.py)
        assert {covering(path, deps) for path in reads} == deps, stage
        assert {covering(path, outs) for path in writes} == outs, stage


def test_params(workspace: Path) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text())
    for stage in STAGES:
        read = set()
        if stage in ALSO:
            section, values = ALSO[stage]
            with changed_params(workspace, section, values):
                read |= set(run(workspace, WATCH_PARAMS, stage, "READ"))
        read |= set(run(workspace, WATCH_PARAMS, stage, "READ"))
        keys: set[str] = set()
        for entry in declared(stage)["params"]:
            section, _, key = entry.partition(".")
            keys |= {entry} if key else {f"{section}.{name}" for name in content[section]}
        # train checks that evaluate will find its device; no output depends on it.
        assert read - ({"evaluate.device"} if stage == "train" else set()) == keys, stage
