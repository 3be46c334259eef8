"""The real pipeline through DVC on real data (ml-100k, fetched through pip), shortened training."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import ROOT

DATA_STAGES = ("download", "preprocess", "split")


def call(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this interpreter's folder first on the PATH, as in an environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    mirror = os.environ.get("SASREC_MIRROR")
    extra = {"SASREC_MIRROR": str(Path(mirror).resolve())} if mirror else {}
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | extra | {"PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def dvc(folder: Path, *arguments: str) -> str:
    result = call(folder, "dvc", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.com")
    result = call(folder, "git", *identity, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the working tree's files, after `dvc repro` with two epochs."""
    folder = tmp_path_factory.mktemp("pipeline") / "clone"
    listed = git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "clone")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["train"]["epochs"] = 2
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    dvc(folder, "repro")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "two epochs")
    return folder


def outs(folder: Path, stage: str) -> dict[str, str]:
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    return {out["path"]: out["md5"] for out in lock["stages"][stage]["outs"]}


def metrics(folder: Path, name: str) -> dict:
    return json.loads((folder / "metrics" / f"{name}.json").read_text())


def test_data_stages_give_the_bytes_of_the_committed_lock(clone: Path) -> None:
    for stage in DATA_STAGES:
        assert outs(clone, stage) == outs(ROOT, stage)


def test_metrics_of_real_data(clone: Path) -> None:
    data, train, test = (metrics(clone, name) for name in ("data", "train_details", "test"))
    assert (data["num_users"], data["num_items"], data["num_interactions"]) == (943, 1349, 99287)
    assert train["epochs"] == 2
    assert train["hyperparameters"] == {"max_length": 200, "dropout": 0.2}
    # Chance is 0.099 among 101 and 0.0074 among 1,349; two epochs already beat it.
    assert test["sampled_100"]["HR@10"] > 0.15
    assert 0.0074 < test["full"]["HR@10"] < test["sampled_100"]["HR@10"]


def test_repro_again_does_nothing(clone: Path) -> None:
    assert "Data and pipelines are up to date." in dvc(clone, "repro")
    assert git(clone, "status", "--porcelain") == ""


def test_an_experiment_reruns_what_it_changes_and_compares(clone: Path) -> None:
    output = dvc(clone, "exp", "run", "-S", "model.variant=official", "--name", "official")
    for stage in DATA_STAGES:
        assert f"Stage '{stage}' didn't change, skipping" in output
    assert "python stages/train.py" in output
    shown = json.loads(dvc(clone, "exp", "diff", "main", "official", "--json"))
    assert shown["params"]["params.yaml"]["model.variant"]["new"] == "official"
    assert shown["metrics"]["metrics/test.json"]["full.NDCG@10"]["diff"] != 0
    changed = json.loads(dvc(clone, "metrics", "diff", "--json"))
    assert "sampled_100.NDCG@10" in changed["metrics/test.json"]
    page = Path(dvc(clone, "plots", "diff", "main").strip().removeprefix("file://"))
    text = page.read_text()
    assert "Validation NDCG@10" in text
    assert 'src="http' not in text  # draws without the internet
    dvc(clone, "exp", "remove", "official")
    git(clone, "checkout", "--", ".")
    dvc(clone, "checkout")


def test_a_bad_parameter_stops_before_anything_is_trained(clone: Path) -> None:
    result = call(clone, "dvc", "repro", "train")
    assert result.returncode == 0
    params = (clone / "params.yaml").read_text()
    (clone / "params.yaml").write_text(params.replace("num_heads: 1", "num_heads: 3"))
    result = call(clone, "dvc", "repro", "train")
    assert result.returncode != 0
    assert "hidden_size = 50 is not divisible by num_heads = 3" in result.stderr
    assert "Traceback" not in result.stderr
    git(clone, "checkout", "--", ".")
    dvc(clone, "checkout")
