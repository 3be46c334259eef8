"""Loops over arrays, compiled by numba: what takes many calls of torch takes one of these.

A kernel is a function of numpy arrays that ends in `part, start, stop`: the number of a part of
its work, and the pieces that it is. `run_parts` runs parts side by side, a thread each.

Loops of a length that the compiler knows take half the time. So some kernels' modules are not
imported but made by `specialised`, once for each hidden size, with that as a constant.
"""

import atexit
import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import numba
import numpy as np
import torch

_SOURCES = sorted(Path(__file__).parent.glob("*kernels.py"))


def _home() -> Path:
    """A copy of the kernels' sources in the user's cache, by what they say.

    Numba keeps compiled code beside a path: with this one it is found again from another clone or
    an experiment's folder, and never when a function that a kernel calls has changed.
    """
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in _SOURCES)).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sasrec" / digest
    if home.exists():
        return home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        copy = Path(tempfile.mkdtemp(prefix=f"{digest}-", dir=home.parent))
    except OSError:  # nothing can be kept: compile anew in every process
        home, copy = None, Path(tempfile.mkdtemp(prefix="sasrec-"))
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for source in _SOURCES:
        shutil.copyfile(source, copy / source.name)
    if home is None:
        return copy
    try:
        copy.rename(home)
    except OSError:  # it is there
        shutil.rmtree(copy)
    return home


_HOME = _home()
_keep_in = _HOME / "compiled"
# Sums may be taken in any order, so that they vectorise; NaN and infinity stay what they are.
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}
# OpenMP's threads are there at once; torch has loaded it where it works.
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

joined = numba.njit(cache=True, **_OPTIONS)  # called by kernels
inlined = numba.njit(forceinline=True, **_OPTIONS)
inlined_fast = numba.njit(forceinline=True, nogil=True, fastmath=True)  # NaN may get lost

WORTH_A_THREAD = 20_000  # nanoseconds of work


class Kernel(NamedTuple):
    """A kernel as it is, and run by threads: (edges, *arguments) without `part, start, stop`."""

    alone: Callable[..., None]
    in_parts: Callable[..., None]


def kernel(function: Callable[..., None]) -> Kernel:
    """Compile a kernel when it is first called."""
    alone = numba.njit(cache=True, **_OPTIONS)(function)
    # A function of its own, with a name instead of a closure, which numba would not keep compiled.
    code = _in_parts.__code__.replace(co_filename=function.__code__.co_filename)
    names = {
        "run": alone,
        "prange": numba.prange,
        "int64": np.int64,
        "__name__": function.__module__,
    }
    in_parts = FunctionType(code, names)
    in_parts.__qualname__ = f"{function.__qualname__}_in_parts"
    return Kernel(alone, numba.njit(cache=True, parallel=True, **_OPTIONS)(in_parts))


def _in_parts(edges, *arguments):  # noqa: ANN002
    for part in prange(len(edges) - 1):  # noqa: F821
        run(*(arguments + (int64(part), edges[part], edges[part + 1])))  # noqa: F821, RUF005


def run_parts(kernel: Kernel, *arguments: object, edges: np.ndarray) -> None:
    """Run each part of a kernel, from edges[part] to edges[part + 1]."""
    if len(edges) == 2:
        kernel.alone(*arguments, 0, edges[0], edges[1])
    else:
        numba.set_num_threads(min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS))
        try:
            kernel.in_parts(edges, *arguments)
        except SystemError as error:  # numba's way to say that a part raised
            raise (error.__cause__ or error) from None


def parts_of(costs: np.ndarray) -> np.ndarray:
    """Where to cut pieces of work into parts of like cost, a thread each: edges from 0 to the end.

    Args:
        costs: [pieces], nanoseconds each, roughly.
    """
    ends = costs.cumsum()
    count = _parts(ends[-1])
    edges = np.full(count + 1, len(costs))
    edges[:-1] = np.searchsorted(ends, ends[-1] * np.arange(count) / count)
    return edges


def even_parts(count: int, cost: float) -> np.ndarray:
    """`parts_of` for `count` pieces that cost the same."""
    parts = _parts(count * cost)
    return count * np.arange(parts + 1) // parts


def _parts(cost: float) -> int:
    return max(1, min(torch.get_num_threads(), int(cost / WORTH_A_THREAD)))


def keep_in(folder: Path) -> None:
    """Where compiled kernels are looked for and kept, but for those that are loaded already."""
    global _keep_in
    _keep_in = folder


def folder_for(size: int, num_heads: int) -> Path:
    """Where the kernels for a model of this hidden size belong."""
    threads = "many" if torch.get_num_threads() > 1 else "one"
    return _HOME / f"compiled-{size}-{num_heads}-{threads}"


@cache
def specialised(name: str, **constants: int) -> ModuleType:
    """The kernels of `<name>.py` with these constants, which its code finds in `globals()`."""
    full_name = _full_name(name, constants)
    spec = importlib.util.spec_from_file_location(full_name, _HOME / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    vars(module).update(constants)
    sys.modules[full_name] = module  # where numba looks for it
    outer, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(_keep_in / full_name)
    try:
        spec.loader.exec_module(module)
    finally:
        numba.config.CACHE_DIR = outer
    return module


def _full_name(name: str, constants: dict[str, int]) -> str:
    return "_".join(("sasrec", name, *(str(int(value)) for value in constants.values())))
