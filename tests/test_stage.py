"""How a stage script ends: well, with a sentence, or with a traceback."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sasrec.errors import UserError
from sasrec.stage import run_stage

STAGES = Path(__file__).parents[1] / "stages"


# How a script ends


def end_of(monkeypatch, main, *arguments):
    monkeypatch.setattr(sys, "argv", ["stages/bake.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        run_stage(main, "Bake a cake.\n\nReads   flour\n")
    return caught.value.code


def raising(error):
    def main():
        raise error

    return main


def test_help_is_the_docstring(monkeypatch, capsys):
    assert end_of(monkeypatch, pytest.fail, "--help") == 0
    printed = capsys.readouterr().out
    assert "Bake a cake.\n\nReads   flour\n" in printed
    assert "params.yaml" in printed


def test_a_stage_takes_no_arguments(monkeypatch, capsys):
    assert end_of(monkeypatch, pytest.fail, "--epochs", "3") == 2
    assert "unrecognized arguments: --epochs 3" in capsys.readouterr().err


def test_a_users_mistake_is_one_line(monkeypatch, capsys):
    assert end_of(monkeypatch, raising(UserError("no flour, expected 500 g"))) == 1
    assert capsys.readouterr().err == "bake.py: error: no flour, expected 500 g\n"


def test_interrupted(monkeypatch, capsys):
    assert end_of(monkeypatch, raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_forbidden_disk_is_one_line(monkeypatch, capsys, code):
    error = OSError(code, os.strerror(code), "out.npy")
    assert end_of(monkeypatch, raising(error)) == 1
    expected = f"bake.py: error: cannot write or read a file: {os.strerror(code)} (out.npy)\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("bug", [ValueError("a bug"), FileNotFoundError(2, "gone", "x")])
def test_a_bug_keeps_its_traceback(monkeypatch, bug):
    monkeypatch.setattr(sys, "argv", ["stages/bake.py"])
    with pytest.raises(type(bug)) as caught:
        run_stage(raising(bug), None)
    assert caught.value is bug


def test_a_stage_that_ends_well_just_returns(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stages/bake.py"])
    called = []
    run_stage(lambda: called.append(1), None)
    assert called == [1]


def test_a_reader_that_goes_away_is_no_error() -> None:
    program = (
        "from sasrec.stage import run_main\n"
        "run_main(lambda: [print('x' * 99, flush=True) for _ in range(100_000)])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(STAGES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"x" * 99 + b"\n"
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == b""
