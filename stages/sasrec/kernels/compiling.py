"""Having a model's kernels ready before it is used, always compiled in the same way.

Code that a process has just compiled rounds a little differently from the same code loaded as
bytes: the compiler may join functions otherwise. So that the same seed gives the same bytes, a
process of its own compiles everything, from nothing and in one order (warmup.py), and all
others load what it left. It hands that over through a pipe, so that a cache which cannot be used
costs time and nothing else.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sasrec.base.private_file import CacheError, PrivateFile
from sasrec.kernels.compiled_code import compiler, take_over

WARMUP = "sasrec.kernels.warmup"  # the module that the other process runs
PACKAGE = Path(__file__).parents[1]
# What decides which loops are compiled, for which types, and in which order.
SOURCES = ("kernels/**/*.py",)


class CompilingError(Exception):
    """The other process did not end well, as the message says."""


def load_loops(report: Callable[[str], None]) -> None:
    """Have all loops ready.

    Args:
        report: told if it will take a while, and what stands in the way of keeping them.
    """
    try:
        take_over(_kept_code(report))
    except CompilingError as error:
        report(f"compiling loops failed ({error}): each is compiled when it is first needed")


def _kept_code(report: Callable[[str], None]) -> bytes:
    """The loops: kept, or compiled now and kept if that can be."""
    file = PrivateFile("loops", key())
    with ExitStack() as until_written:
        try:
            if code := file.read():
                return code
            report("compiling loops: about 20 s, once on this machine")
            until_written.enter_context(file.lock())
            if code := file.read():  # another process was compiling
                return code
        except CacheError as error:
            report(_not_kept(error))
            return _compile()
        code = _compile()
        try:
            file.write(code)
        except CacheError as error:
            report(_not_kept(error))
        return code


def _not_kept(reason: CacheError) -> str:
    return (
        f"compiled loops cannot be kept ({reason}), so every run compiles them, about 20 s: "
        "let XDG_CACHE_HOME name a folder that only you can write to"
    )


def key() -> str:
    """All that compiled loops depend on."""
    sources = hashlib.sha256()
    for path in sorted(path for name in SOURCES for path in PACKAGE.glob(name)):
        sources.update(path.read_bytes())
    return "\n".join([sources.hexdigest(), compiler()])


def _compile() -> bytes:
    """What the other process compiled. It ends when this one does, killed or not.

    Raises:
        CompilingError: it could not be started, or failed.
    """
    paths = [str(PACKAGE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    ours, alive = os.pipe()  # what it waits on to see that we have gone
    try:
        with subprocess.Popen(
            [sys.executable, "-P", "-m", WARMUP],
            env=environment,
            stdin=ours,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                code, errors = process.communicate()
            finally:
                process.kill()
    except OSError as error:
        raise CompilingError(error.strerror or error) from None
    finally:
        os.close(ours)
        os.close(alive)
    if process.returncode:
        lines = errors.decode(errors="replace").splitlines() or [f"exit {process.returncode}"]
        raise CompilingError(lines[-1])
    return code
