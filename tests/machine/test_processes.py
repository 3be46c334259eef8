"""Processes that end together: what the script says, how it exits, and that nobody is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from places import STAGES

# Three processes of a script; which does what is told by the arguments. Each writes its id, and
# that of a process that it starts, to a file.
SCRIPT = """
import os, signal, subprocess, sys, time
from pathlib import Path
from sasrec.base.errors import UserError
from sasrec.machine.processes import run_processes
from sasrec.base.script import run_main

# A shell's background jobs ignore the first of these, those under nohup the second.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

def main():
    number = os.environ.get("NUMBER")
    if number is None:
        run_processes([{"NUMBER": str(number)} for number in range(3)])
        print("all well")
        return
    assert "SASREC_PARENT_PIPE" not in os.environ
    deed = dict(zip("012", sys.argv[1].split(","), strict=True))[number]
    helper = subprocess.Popen(["sleep", "60"]) if deed != "well" else None
    ids = [os.getpid()] + ([helper.pid] if helper else [])
    Path(number + ".part").write_text(" ".join(map(str, ids)))
    Path(number + ".part").rename(number + ".ids")
    while len(list(Path.cwd().glob("*.ids"))) < 3:
        time.sleep(0.01)
    if deed == "wait":
        time.sleep(60)
    if deed == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    if deed == "mistake":
        raise UserError(f"no flour in {number}")
    if deed == "disk":
        raise OSError(28, "No space left on device", "data/.model.0a1b2c3d.tmp/x")
    if deed == "bug":
        raise AssertionError(f"a bug in {number}")
    if deed == "watch":  # whether the last process leaves before it is ended
        last = Path("/proc") / Path("2.ids").read_text().split()[0]
        for _ in range(50):
            time.sleep(0.01)
            if not last.exists() or ") Z " in (last / "stat").read_text():
                os.write(1, b"it left\\n")
                break
        time.sleep(60)
    if deed == "late bug":  # what a process says when another one broke the connection
        time.sleep(0.2)
        raise RuntimeError("connection closed by peer")
    if deed == "killed":
        time.sleep(0.4)
        os.kill(os.getpid(), signal.SIGKILL)
    if deed == "exit":
        sys.exit(7)

run_main(main)
"""


def start(folder, deeds):
    (folder / "bake.py").write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, "bake.py", deeds],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(STAGES), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def is_running(number):
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def ids_of(folder):
    return [int(number) for path in folder.glob("*.ids") for number in path.read_text().split()]


def assert_nobody_is_left(folder):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(map(is_running, ids_of(folder))):
        time.sleep(0.02)
    assert [number for number in ids_of(folder) if is_running(number)] == []


def end_of(folder, deeds):
    """The exit code, stdout and stderr of processes that end by themselves."""
    process = start(folder, deeds)
    out, err = process.communicate(timeout=60)
    assert len(list(folder.glob("*.ids"))) == 3
    assert_nobody_is_left(folder)
    return process.returncode, out, err


def test_all_well(tmp_path):
    assert end_of(tmp_path, "well,well,well") == (0, "all well\n", "")


@pytest.mark.parametrize(
    ("deeds", "sentence"),
    [
        ("mistake,mistake,mistake", "no flour in 0"),
        ("late bug,late bug,mistake", "no flour in 2"),
        ("wait,stubborn,mistake", "no flour in 2"),
        ("watch,wait,mistake", "no flour in 2"),
        ("well,disk,wait", "cannot write or read a file: No space left on device (data/model/x)"),
        ("late bug,killed,late bug", "process 2 of 3 was killed by SIGKILL, so training was ended"),
        ("well,well,killed", "process 3 of 3 was killed by SIGKILL, so training was ended"),
        ("wait,exit,wait", "process 2 of 3 ended with exit code 7, so training was ended"),
    ],
)
def test_one_that_fails_is_one_sentence(tmp_path, deeds, sentence):
    assert end_of(tmp_path, deeds) == (1, "", f"bake.py: error: {sentence}\n")


def test_a_bug_keeps_its_traceback(tmp_path):
    code, out, err = end_of(tmp_path, "wait,bug,late bug")
    assert (code, out) == (1, "")
    assert err.startswith("Traceback")
    assert err.count("Traceback") == 1
    assert err.endswith(
        "AssertionError: a bug in 1\nbake.py: error: process 2 of 3 failed, see above\n"
    )


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGTERM, 143, "interrupted\n"),
        (signal.SIGINT, 130, "interrupted\n"),
        (signal.SIGKILL, -signal.SIGKILL, ""),
        (signal.SIGHUP, -signal.SIGHUP, ""),
    ],
)
def test_nobody_outlives_the_parent(tmp_path, number, code, said):
    process = start(tmp_path, "wait,wait,stubborn")
    deadline = time.monotonic() + 30
    while len(list(tmp_path.glob("*.ids"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.1)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (code, "", said)
    assert len(ids_of(tmp_path)) == 6
    assert_nobody_is_left(tmp_path)
