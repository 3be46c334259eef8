"""How a stage script ends: well, with a sentence, or with a traceback."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from places import STAGES

from sasrec.base.errors import UserError, printable
from sasrec.base.script import run_stage

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


def test_terminated_is_interrupted(monkeypatch, capsys):
    def main():
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it goes on")

    assert end_of(monkeypatch, main) == 143
    assert capsys.readouterr().err == "interrupted\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize(
    ("raised", "code", "end"),
    [("KeyboardInterrupt", -signal.SIGINT, "interrupted"), ("ValueError('x')", 1, "ValueError: x")],
)
def test_interrupted_while_it_imports(raised, code, end):
    done = subprocess.run(
        [sys.executable, "-c", f"import sasrec.base.script\nraise {raised}"],
        env=os.environ | {"PYTHONPATH": str(STAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == end
    assert (len(done.stderr.splitlines()) == 1) == (end == "interrupted")


def test_who_is_interrupted_may_say_more(monkeypatch, capsys):
    assert end_of(monkeypatch, raising(KeyboardInterrupt("interrupted: do it again"))) == 130
    assert capsys.readouterr().err == "interrupted: do it again\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_full_or_forbidden_disk_is_one_line(monkeypatch, capsys, code):
    error = OSError(code, os.strerror(code), "out.npy")
    assert end_of(monkeypatch, raising(error)) == 1
    expected = f"bake.py: error: cannot write or read a file: {os.strerror(code)} (out.npy)\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NotADirectoryError(errno.ENOTDIR, "x", "data/model"), "Not a directory (data/model)"),
        (OSError(errno.EFBIG, "x", b"out"), "File too large (out)"),
        (
            OSError(errno.ENOSPC, "x", "data/.raw.0a1b2c3d.tmp/a"),
            "No space left on device (data/raw/a)",
        ),
        (OSError(errno.EIO, "x"), "Input/output error"),
        (OSError(errno.EIO, "x", 7), "Input/output error"),
    ],
)
def test_an_error_of_a_file_names_the_final_file(monkeypatch, capsys, error, sentence):
    assert end_of(monkeypatch, raising(error)) == 1
    expected = f"bake.py: error: cannot write or read a file: {sentence}\n"
    assert capsys.readouterr().err == expected


def allocate_by_numpy():
    np.empty((10**9, 10**6))


def allocate_by_torch():
    torch.empty(10**9, 10**6)


@pytest.mark.parametrize(
    ("main", "asked"),
    [
        (allocate_by_numpy, "Unable to allocate 7.11 PiB for an array with shape (1000000000"),
        (allocate_by_torch, "a block of 4000000000000000 bytes was asked for"),
        (lambda: np.empty(1 << 62), "Unable to allocate|allowed dimension|array is too big"),
        (lambda: torch.empty(1 << 62), "calculation overflowed"),
        (raising(MemoryError()), "the system gave no more"),
        (raising(OSError(errno.ENOMEM, "x")), "Cannot allocate memory"),
        (
            raising(
                torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0")
            ),
            "a block of 2.00 GiB was asked for",
        ),
    ],
)
def test_memory_that_does_not_suffice_is_one_line(monkeypatch, capsys, main, asked):
    assert end_of(monkeypatch, main) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("bake.py: error: not enough memory: ")
    assert any(part in line for part in asked.split("|"))


@pytest.mark.parametrize("kind", [UserError, lambda text: OSError(errno.EACCES, "x", text)])
def test_what_a_terminal_would_obey_is_shown_escaped(monkeypatch, capsys, kind):
    hostile = "a\x1b[31mb\nc\r\x00\u202ed\u2028e\x9bf\udcff"
    assert end_of(monkeypatch, raising(kind(hostile))) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert r"a\x1b[31mb\nc\r\x00\u202ed\u2028e\x9bf\udcff" in line


@pytest.mark.parametrize("text", ["naïve", "Amélie 東京 🎬", "a b", "क्\u200dष", "C:\\new", "\xa0"])
def test_what_can_be_seen_stays(text):
    assert printable(text) == text


PRINTS = """
from sasrec.base.script import run_main, run_stage
from sasrec.base.errors import UserError
import sys
def main():
    print("né → 東")
    raise UserError("né → 東")
if len(sys.argv) > 1:
    run_stage(main, "né → 東")
run_main(main)
"""


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", rb"n\xe9 \u2192 \u6771"),
        ("cp1252", b"n\xe9 \\u2192 \\u6771"),
        ("utf-8", "né → 東".encode()),
        ("ascii:strict", rb"n\xe9 \u2192 \u6771"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_any_encoding_of_the_terminal(encoding, shown, arguments):
    done = subprocess.run(
        [sys.executable, "-c", PRINTS, *arguments],
        env=os.environ | {"PYTHONPATH": str(STAGES), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == (0 if arguments else 1)
    assert shown in done.stdout
    if not arguments:
        assert done.stderr == b"-c: error: " + shown + b"\n"


def test_a_full_disk_behind_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from sasrec.base.script import run_main\nrun_main(lambda: print(1))",
            ],
            env=os.environ | {"PYTHONPATH": str(STAGES), "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    reason = "cannot write or read a file: No space left on device (standard output)"
    assert done.stderr == f"-c: error: {reason}\n"


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
        "from sasrec.base.script import run_main\n"
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
