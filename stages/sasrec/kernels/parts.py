"""Loops over arrays, compiled by numba: what takes many calls of torch takes one of these.

A kernel is a function of numpy arrays that ends in `part, start, stop`: the number of a part of
its work, and the pieces that it is. `run_parts` runs parts side by side, a thread each.

Loops of a length that the compiler knows take half the time. So some kernels' modules are not
imported but made by `specialised`, once for each hidden size, with that as a constant.
"""

import importlib.util
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import NamedTuple

import numba
import numpy as np
import torch

from sasrec.kernels.compiled_code import KeptCode

# Sums may be taken in any order, so that they vectorise; NaN and infinity stay what they are.
_OPTIONS = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "arcp", "nsz"},
}
# OpenMP's threads are there at once; torch has loaded it where it works.
numba.config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

inlined = numba.njit(forceinline=True, **_OPTIONS)
inlined_fast = numba.njit(forceinline=True, nogil=True, fastmath=True)  # NaN may get lost

_making = threading.RLock()  # modules of kernels, which make others

WORTH_A_THREAD = 20_000  # nanoseconds of work


class Kernel(NamedTuple):
    """A kernel as it is, and run by threads: (edges, *arguments) without `part, start, stop`."""

    alone: Callable[..., None]
    in_parts: Callable[..., None]


def joined(function: Callable, **options: bool) -> Callable:
    """Compile what kernels call, when it is first called; or load it where it is kept."""
    dispatcher = numba.njit(**_OPTIONS, **options)(function)
    dispatcher._cache = KeptCode(function)  # what cache=True sets to a cache of numba's own
    return dispatcher


def kernel(function: Callable[..., None]) -> Kernel:
    """Compile a kernel when it is first called; or load it where it is kept."""
    alone = joined(function)
    # A function of its own, with a name instead of a closure, which could not be kept compiled.
    code = _in_parts.__code__.replace(co_filename=function.__code__.co_filename)
    names = {
        "run": alone,
        "prange": numba.prange,
        "int64": np.int64,
        "__name__": function.__module__,
    }
    in_parts = FunctionType(code, names)
    in_parts.__qualname__ = f"{function.__qualname__}_in_parts"
    return Kernel(alone, joined(in_parts, parallel=True))


def _in_parts(edges, *arguments):  # noqa: ANN001, ANN002, ANN202
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


@cache  # a look-up afterwards, since steps ask often; but threads may come here at once
def specialised(name: str, **constants: int) -> ModuleType:
    """The kernels of `<name>.py` with these constants, which its code finds in `globals()`."""
    full_name = "_".join(("sasrec", name, *(str(int(value)) for value in constants.values())))
    with _making:
        if full_name not in sys.modules:
            _make(full_name, Path(__file__).parent / "loops" / f"{name}.py", constants)
        return sys.modules[full_name]


def _make(full_name: str, source: Path, constants: dict[str, int]) -> None:
    spec = importlib.util.spec_from_file_location(full_name, source)
    module = importlib.util.module_from_spec(spec)
    vars(module).update(constants)
    sys.modules[full_name] = module  # where numba looks for it
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full_name]
        raise
