"""Of each stage script one runs at a time."""

import os
import signal
import subprocess
import sys

import pytest
import toy_data_stages
import yaml
from toy_stages import STAGES

import download
import evaluate
import preprocess
import split
import train
from sasrec.base.errors import UserError
from sasrec.base.outputs import only_one


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (download, "data/raw"),
        (preprocess, "data/interactions"),
        (split, "data/split"),
        (train, "data/model"),
        (evaluate, "data/evaluation"),
    ],
)
def test_a_second_run_is_refused(folder, stage, name):
    (folder / "mine.csv").write_text("user,item\n1,2\n")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    columns = toy_data_stages.DATA["columns"] | {"timestamp": None, "rating": None}
    params["data"] = toy_data_stages.DATA | {"columns": columns}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    with stage.OUTPUTS.new():
        before = sorted(folder.rglob("*"))
        with pytest.raises(UserError, match=f"another process is writing {name}"):
            stage.main()
        assert sorted(folder.rglob("*")) == before


def test_a_killed_process_releases_the_lock(tmp_path):
    code = (
        "import pathlib, time\nfrom sasrec.base.outputs import only_one\n"
        "with only_one(pathlib.Path('model')):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(STAGES)}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process.stdout:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process"), only_one(tmp_path / "model"):
            pytest.fail("two at a time")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with only_one(tmp_path / "model"):
        pass
