"""A run and its model through a remote: what docs/sharing.md says, with two clones and a folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import ROOT
from toy_exports import write_facts
from toys import SECTIONS

PAGE = (ROOT / "docs/sharing.md").read_text("utf-8")
KEPT = (".dvc/config", ".dvc/plots_page.html", ".dvcignore", ".gitignore", "dvc.yaml")
FOLDERS = ("raw", "interactions", "split", "model", "evaluation", "export")
WHO = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
NAMES = {f"GIT_{each}": "test" for each in WHO}


def call(folder: Path, command: str) -> str:
    """What a shell line prints, with this interpreter's folder first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | NAMES | {"PATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clones(pipeline, tmp_path_factory):
    """Whoever trained, with all of it committed but not pushed, and where git is shared."""
    place = tmp_path_factory.mktemp("sharing")
    trained = place / "trained"
    shutil.copytree(pipeline[0], trained)
    write_facts(trained)
    shutil.copytree(
        ROOT / "stages", trained / "stages", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "examples", trained / "examples")  # which data.path may name
    for name in KEPT:
        (trained / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, trained / name)
    params = yaml.safe_load((trained / "params.yaml").read_text())
    (trained / "params.yaml").write_text(yaml.safe_dump(params | {"data": SECTIONS["data"]}))
    call(trained, "git init --quiet --initial-branch=main && git init --quiet --bare ../hub.git")
    call(trained, "git remote add origin ../hub.git && dvc commit --force --quiet")
    return trained, place / "teammate"


def lines_under(heading):
    """The commands of the first block under a heading of the page."""
    section = PAGE.split(f"## {heading}\n")[1]
    return re.search(r"```bash\n(.*?)```", section, re.S)[1]


def test_a_teammate_gets_the_model_and_evaluates_without_training(clones, tmp_path):
    trained, teammate = clones
    call(trained, "python stages/export.py --no-onnx && dvc add --quiet data/export")
    setup = lines_under("A remote").replace("/mnt/team/sasrec", str(tmp_path / "storage"))
    call(trained, setup)
    assert call(trained, "git status --porcelain") == ""
    assert "main" in call(trained, "git ls-remote origin")

    call(trained, "git clone --quiet --branch main ../hub.git ../teammate")
    assert not (teammate / "data/model").exists()
    call(teammate, lines_under("A teammate"))
    for name in FOLDERS:
        wanted = sorted(path for path in (trained / "data" / name).rglob("*") if path.is_file())
        assert wanted
        for path in wanted:
            if path.suffix != ".lock" and path.name != ".gitignore":
                assert (teammate / path.relative_to(trained)).read_bytes() == path.read_bytes()
    assert call(teammate, "git status --porcelain") == ""
    assert "up to date" in call(teammate, "dvc status")

    printed = call(teammate, "dvc exp run --name reseeded -S evaluate.seed=2")
    assert "Stage 'train' didn't change, skipping" in printed
    assert "python stages/evaluate.py" in printed
    call(teammate, "dvc exp push origin reseeded")
    assert "reseeded" in call(trained, "dvc exp list origin")
    call(trained, "dvc exp pull origin reseeded && dvc exp apply reseeded")
    theirs = [(one / "metrics/intervals.json").read_bytes() for one in clones]
    assert theirs[0] == theirs[1]
    assert "up to date" in call(trained, "dvc status")

    comment_of_a_pull_request(teammate)


def comment_of_a_pull_request(teammate):
    """The step of the workflow on the page that writes the comment."""
    workflow = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.S)[1])
    (step,) = [
        step for step in workflow["jobs"]["metrics"]["steps"] if "BASE" in step.get("env", {})
    ]
    test = json.loads((teammate / "metrics/test.json").read_text())
    test["full"]["HR@10"] = 0.75
    (teammate / "metrics/test.json").write_text(json.dumps(test))
    call(teammate, f"export BASE=main GITHUB_WORKSPACE={teammate}\n{step['run']}")
    comment = (teammate / "comment.md").read_text()
    assert re.search(r"\| metrics/test\.json +\| full\.HR@10 +\|.* 0\.75 ", comment)
    assert "evaluate.seed" in comment


def test_versions_on_the_page_are_those_of_the_requirements():
    (wanted,) = re.findall(r"^dvc(==\S+)$", (ROOT / "requirements.txt").read_text(), re.M)
    assert set(re.findall(r"dvc(?:\[\w+\])?(==[\d.]+)", PAGE)) == {wanted}
