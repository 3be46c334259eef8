"""In a clone without data every script says in a sentence which command to run."""

import re
import runpy
import shutil
import subprocess
import sys

import pytest
from places import ROOT, STAGES

# What each script is asked, its exit code, and what it says.
TRAIN = r"data/model/model\.json not found: run `python stages/train\.py` first"
SCRIPTS = {
    "preprocess": (
        "",
        1,
        r"data/raw/source\.json not found: run `python stages/download\.py` first",
    ),
    "split": (
        "",
        1,
        r"data/interactions/dataset\.json not found: run `python stages/preprocess\.py` first",
    ),
    "train": ("", 1, r"data/split/train/dataset\.json not found: run `python stages/split\.py` fi"),
    "evaluate": ("", 1, TRAIN),
    "export": ("", 1, TRAIN),
    "recommend": ("--all-users", 1, TRAIN),
    "compare": ("workspace HEAD", 1, "there is no data/evaluation/ranks.csv: `dvc repro` there"),
    # As `diff`, it keeps 1 for data that differ.
    "compare_data": (
        "mine.txt",
        2,
        r"data/interactions not found: run `python stages/preprocess\.py` first",
    ),
}
WORK_WITHOUT = {"download", "experiments", "recipe", "report"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """What git tracks, and will: no data."""
    folder = tmp_path_factory.mktemp("clone")
    listing = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if not name.startswith(("docs/", "tests/", "benchmarks/")) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    (folder / "mine.txt").write_text("1 1\n1 2\n")
    return folder


def test_every_script_is_tried():
    assert {path.stem for path in STAGES.glob("*.py")} == SCRIPTS.keys() | WORK_WITHOUT


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_says_what_to_run(clone, monkeypatch, capsys, name):
    arguments, code, sentence = SCRIPTS[name]
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "argv", [f"stages/{name}.py", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(clone / "stages" / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr()
    assert (caught.value.code, printed.out) == (code, "")
    (line,) = printed.err.splitlines()
    assert re.match(rf"{name}\.py: error: .*{sentence}", line), line
