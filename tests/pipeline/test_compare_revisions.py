"""Comparing experiments and git revisions: a small real repository, read through DVC."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toy_results import random_ranks, ranks_csv

from sasrec.base.errors import UserError
from sasrec.comparing.overview.rows import read_rows
from sasrec.comparing.runs.checks import differing_params
from sasrec.comparing.runs.experiments import load_side

PIPELINE = """
stages:
  evaluate:
    cmd: python evaluate.py
    params: [train.seed]
    deps: [evaluate.py]
    outs: [data/evaluation]
    metrics:
      - metrics/train_details.json: {cache: false}
"""

# Ranks come ready-made: ranks-SEED.csv.
EVALUATE = """
import pathlib, shutil
seed = pathlib.Path("params.yaml").read_text().split()[-1]
for folder in ("data/evaluation", "metrics"):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
shutil.copy(f"ranks-{seed}.csv", "data/evaluation/ranks.csv")
pathlib.Path("metrics/train_details.json").write_text('{"epochs": %s}' % seed)
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
    assert load_side("A", "workspace").runs[0].seed == 1


@pytest.mark.parametrize("below", ["", "metrics"])
def test_a_project_may_be_a_subfolder_of_another_git_repository(
    repository, tmp_path, monkeypatch, below
):
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "nothing yet")
    project = tmp_path / "deep" / "project"
    shutil.copytree(repository, project, ignore=shutil.ignore_patterns(".git"))
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "a project")
    (project / "data" / "evaluation" / "ranks.csv").unlink()
    (project / "params.yaml").write_text("train:\n  seed: 7\n")
    monkeypatch.chdir(project / below)
    main = load_side("A", "main").runs[0]
    assert main.ranks["full"].tolist() == random_ranks(1).tolist()
    assert (main.seed, main.stale, main.training) == (1, (), {"epochs": 1})
    assert message_of("main~1").startswith("main~1: there is no data/evaluation/ranks.csv: when")
    assert message_of("workspace").endswith("`dvc repro` there makes it")


def test_names_of_the_same_commit_are_the_same_run(here):
    assert load_side("A", "main").runs[0].place == load_side("A", "HEAD").runs[0].place
    assert message_of("main,HEAD") == (
        "A: main and HEAD are the same run, all ranks are equal: "
        "name runs with different train.seed"
    )


def test_a_folder_comes_before_a_branch_of_its_name(here):
    git(here, "branch", "metrics", "HEAD")
    assert message_of("metrics").startswith("metrics: there is no data/evaluation/ranks.csv: exp")
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
    for name in ("absent", "main:params.yaml", "main..HEAD", "main^{tree}"):
        assert message_of(name) == (
            f"{name}: no such folder, experiment, branch or commit: "
            "`dvc exp show` lists the experiments"
        )
    assert message_of("HEAD~2") == (
        "HEAD~2: there is no data/evaluation/ranks.csv: "
        "when this was committed, the pipeline had not run or was not there yet"
    )


@pytest.fixture
def copy(repository, tmp_path, monkeypatch):
    """The repository in a place of its own, to spoil."""
    shutil.copytree(repository, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def cached_ranks(folder: Path) -> list[Path]:
    found = (folder / ".dvc" / "cache" / "files").rglob("*")
    return [path for path in found if path.is_file() and path.suffix != ".dir"]


NOT_HERE = "data/evaluation/ranks.csv is not in DVC's cache here, and no remote is configured"


def test_ranks_that_a_fresh_clone_lacks_are_explained(repository, tmp_path, monkeypatch):
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    monkeypatch.chdir(tmp_path / "clone")
    git(tmp_path / "clone", "fetch", "--quiet", "origin", "refs/exps/*:refs/exps/*")
    for name, way in (
        ("main", "by `dvc repro`, and commit dvc.lock if that changes it"),
        ("main~1", "by `git checkout main~1` and `dvc repro`, and commit dvc.lock if that"),
        ("second", "by `dvc exp apply second` and `dvc repro`"),
    ):
        message = message_of(name)
        assert message.startswith(f"{name}: {NOT_HERE} to fetch it from: make it again {way}")
    assert message_of("workspace").endswith("ranks.csv: `dvc repro` there makes it")


def test_a_shallow_clone_says_how_to_get_the_rest(repository, tmp_path, monkeypatch):
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert message_of("main~1").endswith("and `git fetch --unshallow` brings the commits that this "
                                         "clone lacks")  # fmt: skip


def test_a_remote_that_lacks_the_ranks_is_named(copy, tmp_path):
    shutil.rmtree(copy / ".dvc" / "cache")
    (tmp_path / "empty").mkdir()
    with (copy / ".dvc/config").open("a") as config:
        config.write(f"    remote = store\n['remote \"store\"']\n    url = {tmp_path}/empty\n")
    git(copy, "commit", "--quiet", "--all", "--message", "a remote")
    assert message_of("HEAD").startswith(
        "HEAD: data/evaluation/ranks.csv is neither in DVC's cache here nor to be had from the "
        "remote store: `dvc push` where it was made"
    )


def test_a_damaged_copy_in_the_cache_is_noticed(copy):
    for path in cached_ranks(copy):
        path.chmod(0o644)
        path.write_text(path.read_text().replace(",7,", ",8,"))
    message = message_of("second")
    assert "is not what was recorded, DVC's copy is damaged: remove " in message
    assert Path(message.split("remove ")[1].split(" and ")[0]).exists()


def test_what_dvc_cannot_read_is_said_with_its_reason(copy):
    for path in cached_ranks(copy):
        path.unlink()
        path.mkdir()
    assert "DVC cannot read data/evaluation/ranks.csv (IsADirectoryError: " in message_of("main")
    (copy / "dvc.lock").write_text("<<<<<<< HEAD\n")
    git(copy, "commit", "--quiet", "--all", "--message", "a conflict")
    assert "DVC cannot read data/evaluation/ranks.csv (YAMLValidation" in message_of("HEAD")
    (copy / ".dvc" / "config").write_text("[core\n")
    assert message_of("main").startswith(f"main: DVC cannot open {copy}: config")


def test_git_that_has_lost_its_objects_is_said(copy):
    for path in (copy / ".git" / "objects").iterdir():
        shutil.rmtree(path)
    assert message_of("HEAD").startswith(f"HEAD: git cannot read {copy}: ")


def test_outside_a_repository_only_folders_have_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message_of("main") == (
        "main: no such folder, and no experiment: this folder is in no DVC repository"
    )
    dvc(tmp_path, "init --quiet --no-scm")
    nothing = f"main: no such folder, and no experiment: {tmp_path} is in no git repository"
    assert message_of("main") == f"{nothing} with a commit"


def test_a_repository_without_a_commit_has_no_revisions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".dvc").mkdir()
    assert message_of("HEAD").endswith(f"{tmp_path} is in no git repository with a commit")


def test_the_table_of_experiments(repository, monkeypatch):
    monkeypatch.chdir(repository)
    rows = [row for row in read_rows(["--num", "2"]) if row.name != "workspace"]
    assert [(row.commit is None, row.state) for row in rows] == [
        (True, ""),
        (True, ""),
        (False, ""),
        (False, "queued"),
    ]
    assert [row.name for row in rows[2:]] == ["second", "waiting"]
    assert [row.params for row in rows[2:]] == [{"train.seed": 2}, {"train.seed": 1}]
