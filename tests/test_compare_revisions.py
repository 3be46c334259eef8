"""Comparing experiments and git revisions: a small real repository, read through DVC."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_results import random_ranks, ranks_csv

from sasrec.errors import UserError
from sasrec.experiment_checks import differing_params
from sasrec.experiments import load_side

PIPELINE = """
stages:
  evaluate:
    cmd: python evaluate.py
    params: [train.seed]
    deps: [evaluate.py]
    outs: [data/evaluation]
    metrics:
      - metrics/train.json: {cache: false}
"""

# Ranks come ready-made: ranks-SEED.csv.
EVALUATE = """
import pathlib, shutil
seed = pathlib.Path("params.yaml").read_text().split()[-1]
for folder in ("data/evaluation", "metrics"):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
shutil.copy(f"ranks-{seed}.csv", "data/evaluation/ranks.csv")
pathlib.Path("metrics/train.json").write_text('{"epochs": %s}' % seed)
"""

# One process for several commands, since it takes a while to start.
DVC = """
import json, sys
from dvc.cli import main
for command in json.loads(sys.argv[1]):
    if main(command):
        sys.exit(f"dvc {command} failed")
"""


def call(folder: Path, *command: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def dvc(folder: Path, *commands: str) -> None:
    call(folder, sys.executable, "-c", DVC, json.dumps([command.split() for command in commands]))


def git(folder: Path, *arguments: str) -> None:
    call(folder, "git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Branch main with seed 1, experiments `second` (seed 2) and `waiting` (queued) before it."""
    folder = tmp_path_factory.mktemp("revisions") / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    dvc(folder, "init --quiet", "config core.analytics false", "config core.autostage true")
    (folder / "params.yaml").write_text("train:\n  seed: 1\n")
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "evaluate.py").write_text(EVALUATE)
    for seed in (1, 2):
        (folder / f"ranks-{seed}.csv").write_text(ranks_csv(random_ranks(seed)))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "before it ran")
    dvc(folder, "repro --quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "seed 1")
    dvc(
        folder,
        "exp run --quiet -S train.seed=2 --name second",
        "exp run --quiet --queue -S train.seed=1 --name waiting",
    )
    git(folder, "checkout", "--quiet", "--", ".")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "another baseline")
    return folder


@pytest.fixture
def here(repository, monkeypatch):
    monkeypatch.chdir(repository)
    return repository


def message_of(name: str) -> str:
    with pytest.raises(UserError) as error:
        load_side("A", name)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_experiment_and_a_branch_are_read_without_a_checkout(here):
    main, second = load_side("A", "main"), load_side("B", "second")
    for seed, side in ((1, main), (2, second)):
        assert side.ranks("full").tolist() == [random_ranks(seed).tolist()]
        assert side.runs[0].seed == seed
        assert side.runs[0].training == {"epochs": seed}
        assert side.runs[0].stale == ()
    assert differing_params(main, second) == {"train.seed": {"A": [1], "B": [2]}}


def test_a_subfolder_sees_the_same_revisions(here, monkeypatch):
    monkeypatch.chdir(here / "metrics")
    assert load_side("A", "second").runs[0].seed == 2


def test_names_of_the_same_commit_are_the_same_run(here):
    assert load_side("A", "main").runs[0].place == load_side("A", "HEAD").runs[0].place
    assert message_of("main,HEAD") == (
        "A: main and HEAD are the same run, all ranks are equal: "
        "name runs with different train.seed"
    )


def test_a_folder_comes_before_a_branch_of_its_name(here):
    git(here, "branch", "metrics", "HEAD")
    assert message_of("metrics").startswith("metrics: there is no data/evaluation/ranks.csv")
    git(here, "branch", "--delete", "metrics")


def test_the_workspace_is_what_lies_there(here):
    path = here / "data" / "evaluation" / "ranks.csv"
    shutil.copy(path, here / "kept.csv")
    path.unlink()
    path.write_text(ranks_csv(random_ranks(9)))
    assert load_side("A", "workspace").ranks("full").tolist() == [random_ranks(9).tolist()]
    assert load_side("A", "main").ranks("full").tolist() == [random_ranks(1).tolist()]
    (here / "kept.csv").replace(path)


def test_what_is_no_finished_run_is_explained(here):
    assert message_of("waiting") == (
        "waiting: this experiment waits in the queue: `dvc queue start` runs it"
    )
    for name in ("absent", "main:params.yaml", "main..HEAD"):
        assert message_of(name) == (
            f"{name}: no such folder, experiment, branch or commit: "
            "`dvc exp show` lists the experiments"
        )
    assert message_of("HEAD~2") == (
        "HEAD~2: there is no data/evaluation/ranks.csv: `dvc repro` makes it"
    )


def test_ranks_that_the_cache_lacks_are_explained(here):
    cache = here / ".dvc" / "cache"
    cache.rename(here / "elsewhere")
    for name in ("main", "second"):
        assert message_of(name).startswith(
            f"{name}: data/evaluation/ranks.csv is not in DVC's cache here: fetch it"
        )
    (here / "elsewhere").rename(cache)


def test_outside_a_repository_only_folders_have_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message_of("main") == (
        "main: no such folder, and no experiment: this folder is in no DVC repository"
    )
    dvc(tmp_path, "init --quiet --no-scm")
    assert message_of("main") == (
        "main: no such folder, and no experiment: this is no git repository with a commit"
    )
