"""Kernels are compiled by one process, kept where that can be, and loaded by all others."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest
from places import TESTS
from toy_stages import STAGES

from sasrec.base.private_file import PrivateFile
from sasrec.kernels import compiled_code, compiling
from sasrec.kernels.compiling import CompilingError, load_loops

HELPERS = TESTS / "helpers"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a small kernel instead of a model's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(HELPERS))  # which the other process is to have too
    monkeypatch.setattr(compiling, "WARMUP", "toy_warmup")
    return tmp_path / "cache"


@pytest.fixture
def compilings(cache, monkeypatch):
    """How often something was compiled, without doing so."""
    times = []

    def compile_all():
        times.append(1)
        return b"code"

    monkeypatch.setattr(compiling, "_compile", compile_all)
    return times


def kept_code():
    """The code, and what was said."""
    said = []
    return compiling._kept_code(said.append), said


def test_what_was_compiled_is_kept(compilings):
    assert [kept_code()[0] for _ in range(3)] == [b"code"] * 3
    assert len(compilings) == 1
    assert kept_code() == (b"code", [])


def test_a_damaged_file_is_replaced(compilings, cache):
    kept_code()
    path = PrivateFile("loops", compiling.key())._path()
    path.write_bytes(path.read_bytes()[:-1])
    assert kept_code()[0] == b"code"
    assert len(compilings) == 2
    assert kept_code() == (b"code", [])


def nothing_to_write_to(cache):
    cache.write_text("a file where a folder belongs")


def open_to_others(cache):
    cache.mkdir()
    cache.chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (nothing_to_write_to, "Not a directory"),
        (open_to_others, "can be written to by others"),
    ],
)
def test_a_cache_that_cannot_be_used_costs_time_and_a_sentence(compilings, cache, spoil, reason):
    spoil(cache)
    for count in (1, 2):
        code, said = kept_code()
        assert code == b"code"
        assert len(compilings) == count
        (line,) = said
        assert line.startswith("compiled loops cannot be kept (")
        assert reason in line
        assert line.endswith("let XDG_CACHE_HOME name a folder that only you can write to")


def test_a_disk_that_fills_while_it_is_written(compilings, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    code, said = kept_code()
    assert (code, len(said)) == (b"code", 2)
    assert "No space left on device" in said[1]


def test_the_key_tells_apart_what_compiles_differently(monkeypatch):
    keys = {compiling.key()}
    for module, name, value in (
        (numba, "__version__", "1.2.3"),
        (compiled_code.llvmlite, "__version__", "1.2.3"),
        (compiled_code.np, "__version__", "1.2.3"),
        (sys, "version", "3.12"),
        (numba.config, "OPT", 2),
        (numba.config, "ENABLE_AVX", False),
        (numba.core.codegen.CPUCodegen, "magic_tuple", lambda self: ("x", "another", "+avx")),
        (Path, "read_bytes", lambda self: b"changed"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            keys.add(compiling.key())
    assert len(keys) == 9
    for name, value in (("NUMBA_NUM_THREADS", 7), ("CACHE_DIR", "/x"), ("DEBUG_CACHE", 1)):
        monkeypatch.setattr(numba.config, name, value)
    assert compiling.key() in keys
    assert len({*keys, compiling.key()}) == 9


LOAD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
from functools import partial
from sasrec.kernels import compiled_code
from sasrec.kernels import compiling
compiling.WARMUP = sys.argv[1]
compiled_code.take_over(compiling._kept_code(partial(print, flush=True)))
from toy_warmup import add_ones
print(add_ones().tolist(), compiled_code.compiled_here())
"""


def start_loading(warmup):
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, warmup],
        env=os.environ | {"PYTHONPATH": f"{STAGES}{os.pathsep}{HELPERS}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_processes_at_once_one_compiles_and_both_load(cache, tmp_path):
    at_once = [start_loading("toy_warmup") for _ in range(2)]
    for process in at_once:
        output, errors = process.communicate()
        assert errors == ""
        assert output.splitlines()[-1] == "[[2.0, 2.0]] []"
    output, errors = start_loading("no_such_module").communicate()
    assert (output, errors) == ("[[2.0, 2.0]] []\n", "")
    assert {path.name for path in tmp_path.iterdir()} == {"cache"}
    assert sorted(path.suffix for path in (cache / "sasrec").iterdir()) == ["", ".lock"]


def test_a_process_that_fails_is_named_shortly(cache, monkeypatch):
    monkeypatch.setattr(compiling, "WARMUP", "no_such_module")
    with pytest.raises(CompilingError, match=r"^.*No module named no_such_module$"):
        compiling._compile()
    said = []
    load_loops(said.append)
    assert said[1].startswith("compiling loops failed (")
    assert said[1].endswith("each is compiled when it is first needed")
    assert not list(cache.rglob("loops-*[!k]"))


def test_a_process_that_cannot_be_started(cache, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(CompilingError, match=r"^No such file or directory$"):
        compiling._compile()


def children_of(process):
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in text.split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_compiling_process_ends_with_its_parent(cache, how):
    with start_loading("toy_sleep") as process:
        assert process.stdout.readline().startswith("compiling loops")
        until = time.monotonic() + 60
        while not (children := children_of(process.pid)):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(how)
        _, errors = process.communicate()
    if how == signal.SIGINT:
        assert errors.splitlines()[-1] == "KeyboardInterrupt"
        assert errors.count("Traceback") == 1
    else:
        assert errors == ""
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert {path.suffix for path in (cache / "sasrec").iterdir()} == {".lock"}


@pytest.mark.usefixtures("pipeline")  # for which the kernels of this size were compiled
def test_nothing_is_compiled_that_was_not_kept():
    finished = subprocess.run(
        [sys.executable, HELPERS / "every_option.py"],
        env=os.environ | {"PYTHONPATH": str(STAGES), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.stdout, finished.stderr) == ("nothing\n", "")
