"""Two processes on one machine (gloo) against one, and two that two torchruns start."""

import json
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from places import HELPERS, ROOT, STAGES
from safetensors.torch import load_file
from shared_gradients import gradients

from sasrec.base.errors import UserError
from sasrec.machine.distributed import World, check_started, launch


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(STAGES), str(HELPERS)])
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_gradients_equal_those_of_one_process(tmp_path: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    result = run(tmp_path, *launcher, str(HELPERS / "shared_gradients.py"), "shared.safetensors")
    assert result.returncode == 0, result.stderr
    shared = load_file(tmp_path / "shared.safetensors")
    alone = gradients(World())
    assert shared.keys() == alone.keys()
    for name, gradient in alone.items():
        torch.testing.assert_close(shared[name], gradient, rtol=1e-5, atol=1e-7, msg=name)
    assert alone["inputs.parts.item.embedding.weight"].abs().max() > 1e-3


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder in which `train` runs on 17 users of a learnable toy dataset, by two processes."""
    for name in ("train", "valid"):
        (tmp_path / "data/split" / name).mkdir(parents=True)
    lengths = np.arange(17) % 5 + 4
    offsets = np.concatenate([[0, 0], np.cumsum(lengths)])
    items = np.concatenate([np.arange(length) + user for user, length in enumerate(lengths)])
    train, valid = (tmp_path / "data/split" / name for name in ("train", "valid"))
    np.save(train / "offsets.npy", offsets)
    np.save(train / "items.npy", (items % 29 + 1).astype(np.int32))
    sizes = {"num_users": 17, "num_items": 29, "num_interactions": int(lengths.sum())}
    facts = {"name": "local", **sizes, "has_ratings": False, "has_timestamps": False}
    facts |= {"time_unit": None, "fingerprint": "0123456789abcdef", "split": "fedcba9876543210"}
    for folder in (train, valid):
        (folder / "dataset.json").write_text(json.dumps(facts))
    np.save(valid / "target_users.npy", np.arange(1, 18, dtype=np.int32))
    np.save(valid / "target_items.npy", ((lengths + np.arange(17)) % 29 + 1).astype(np.int32))
    np.save(valid / "candidates.npy", np.full((17, 3), 29, np.int32))
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    # Batches of 4: the last one holds a single user, so one of the processes has none.
    params["train"] |= {"processes": 2, "epochs": 2, "batch_size": 4, "device": "cpu"}
    params["train"]["kernels"] = "plain"  # compiles nothing
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def on_two_machines(folders: list[Path]) -> list[subprocess.CompletedProcess[str]]:
    """Train by a torchrun in each of the folders, which stand for machines."""
    torchrun = ("-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1")
    address = ("--master-addr=127.0.0.1", f"--master-port={free_port()}")

    def start(rank: int) -> subprocess.CompletedProcess[str]:
        command = (*torchrun, f"--node-rank={rank}", *address, str(STAGES / "train.py"))
        return run(folders[rank], *command)

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(start, range(2)))


def test_two_processes_train_the_same_on_one_machine_or_two_and_the_first_writes(
    workspace: Path,
) -> None:
    machines = [shutil.copytree(workspace, workspace / name) for name in ("first", "second")]
    result = run(workspace, str(STAGES / "train.py"))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("epoch 2/2") == 1
    assert "2 process(es) on cpu" in result.stdout
    metrics = json.loads((workspace / "metrics/train_details.json").read_text())
    assert metrics["epochs"] == 2
    first, second = on_two_machines(machines)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout.count("epoch 2/2") == 1
    assert not second.stdout
    for name in ("data/model/model.safetensors", "data/model/model.json", "metrics/train.json"):
        assert (machines[0] / name).read_bytes() == (workspace / name).read_bytes(), name
    assert {path.name for path in (machines[1] / "data").iterdir()} == {"split"}
    assert not (machines[1] / "metrics").exists()


def test_torchrun_starts_as_many_as_the_parameter_says(monkeypatch: pytest.MonkeyPatch) -> None:
    check_started(2)  # not started by anyone
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "8")
    check_started(8)
    with pytest.raises(UserError, match="torchrun started 8 processes in all, and train"):
        check_started(2)


def test_a_mistake_in_two_processes_is_one_sentence(workspace: Path) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    params["train"]["learning_rate"] = 1e38
    (workspace / "params.yaml").write_text(yaml.safe_dump(params))
    result = run(workspace, str(STAGES / "train.py"))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("train.py: error: the loss of epoch ")
    assert {path.name for path in (workspace / "data").iterdir()} == {"split", ".model.lock"}
    assert not (workspace / "metrics").exists()


def test_what_launched_processes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setattr("sasrec.machine.distributed.run_processes", told.extend)
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    launch(3)
    assert [(one["RANK"], one["LOCAL_RANK"]) for one in told] == [(r, r) for r in "012"]
    assert {one["WORLD_SIZE"] for one in told} == {one["LOCAL_WORLD_SIZE"] for one in told} == {"3"}
    assert {one["OMP_NUM_THREADS"] for one in told} == {"2"}
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    told.clear()
    launch(3)
    assert {one["OMP_NUM_THREADS"] for one in told} == {"5"}
