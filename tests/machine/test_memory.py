"""How much memory a process can still get, from made-up machines and control groups."""

import resource
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest
from places import STAGES

from sasrec.machine.memory import available_memory


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with 700 bytes free, and 50 more to swap to."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=700))
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(free=50))


def write_group(folder, limit, used, active=0, inactive=0, version=2):
    names = {
        2: ("memory.max", "memory.current"),
        1: ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in zip(names[version], (limit, used), strict=True):
        (folder / name).write_text(f"{value}\n")
    stat = f"anon 5\nactive_file {active}\ninactive_file {inactive}\nslab 3\n"
    (folder / "memory.stat").write_text(stat)


def available(folder, own):
    (folder / "own").write_text(own)
    return available_memory(folder / "groups", folder / "own")


def test_without_groups_it_is_the_machines(tmp_path):
    assert available_memory(tmp_path, tmp_path / "none") == 750
    assert available(tmp_path, "0::/user.slice\n") == 750


def test_a_containers_own_limit(tmp_path):
    write_group(tmp_path / "groups", 500, 340, active=30, inactive=11)
    assert available(tmp_path, "0::/\n") == 500 - 340 + 41
    # The path may be the host's, and not be there.
    assert available(tmp_path, "0::/docker/0123\n") == 201


def test_the_tightest_group_around_counts(tmp_path):
    write_group(tmp_path / "groups", "max", 9000)
    write_group(tmp_path / "groups/batch", 600, 100)
    write_group(tmp_path / "groups/batch/job", 900, 50)
    assert available(tmp_path, "0::/batch/job\n") == 500
    write_group(tmp_path / "groups/batch/job", 300, 50)
    assert available(tmp_path, "0::/batch/job\n") == 250
    assert available(tmp_path, "0::/batch\n") == 500


def test_groups_of_the_first_version(tmp_path):
    write_group(tmp_path / "groups/memory", 2**63 - 4096, 10, version=1)
    write_group(tmp_path / "groups/memory/job", 400, 100, inactive=7, version=1)
    write_group(tmp_path / "groups/cpu/job", 1, 1, version=1)
    assert available(tmp_path, "9:cpu,cpuacct:/job\n4:memory:/job\n1:name=systemd:/job\n") == 307


def test_a_group_over_its_limit_has_nothing_left(tmp_path):
    write_group(tmp_path / "groups", 500, 640)
    assert available(tmp_path, "0::/\n") == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits by process are Linux's")
def test_a_limit_of_the_process_counts():
    program = "from sasrec.machine.memory import available_memory; print(available_memory())"
    most = 8 << 30
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=STAGES,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert 0 < int(result.stdout) < most
