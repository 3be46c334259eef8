"""Loops over arrays, compiled by numba: what takes many calls of torch takes one of these.

A kernel is a compiled function that ends in `part, start, stop`: the number of a part of its work,
and the pieces that it is. `run_parts` runs parts side by side, a thread each. Sizes are ordinary
numbers, so the code that one machine compiles once serves every model.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from queue import SimpleQueue

import numba
import numpy as np
import torch

from sasrec.kernels.compiled_code import KeptCode

# Sums may be taken in any order, so that they vectorise; NaN and infinity stay what they are.
ANY_ORDER = {"reassoc", "contract", "arcp", "nsz"}

LATE = 30_000  # nanoseconds, roughly, until a thread that waits has begun
WORTH_A_THREAD = 80_000  # nanoseconds of work

_threads: int | None = None  # of loops, where torch itself has fewer


def compiled(function: Callable, **options: object) -> Callable:
    """Compile `function` when it is first called; or load it where it is kept."""
    settings = {"nogil": True, "error_model": "numpy", "fastmath": ANY_ORDER}
    settings |= {"no_cfunc_wrapper": True} | options
    dispatcher = numba.njit(**settings)(function)
    dispatcher._cache = KeptCode(function)  # what cache=True sets to a cache of numba's own
    return dispatcher


def inner(function: Callable) -> Callable:
    """`compiled`, in two thirds of the time, for what only compiled functions call.

    It lacks the code that takes Python's objects apart: where Python calls it, the process crashes.
    """
    return compiled(function, no_cpython_wrapper=True)


def run_parts(kernel: Callable[..., None], *arguments: object, edges: Sequence[int]) -> None:
    """Run each part of a kernel, from edges[part] to edges[part + 1]."""
    parts = len(edges) - 1
    done: SimpleQueue[BaseException | None] = SimpleQueue()
    for part in range(1, parts):
        _tasks().put((done, kernel, (*arguments, part, edges[part], edges[part + 1])))
    try:
        kernel(*arguments, 0, edges[0], edges[1])
    finally:
        errors = [done.get() for _ in range(1, parts)]
    for error in filter(None, errors):
        raise error


@contextmanager
def loops_alone() -> Iterator[None]:
    """Torch itself computes in one thread in the block, and loops in as many as it had.

    Between loops its own threads fall asleep, and to wake them takes longer than they save.
    """
    global _threads
    threads = torch.get_num_threads()
    _threads = threads
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _threads = None


def threads() -> int:
    """How many a kernel's parts are shared by."""
    return _threads or torch.get_num_threads()


@cache
def _tasks() -> SimpleQueue:
    """Where waiting threads take parts from; while kernels compute they leave Python's lock."""
    tasks: SimpleQueue = SimpleQueue()
    for _ in range(max(1, (os.cpu_count() or 2) - 1)):
        threading.Thread(target=_work, args=(tasks,), daemon=True).start()
    return tasks


os.register_at_fork(after_in_child=_tasks.cache_clear)  # a child has none of its parent's threads


def _work(tasks: SimpleQueue) -> None:
    while True:
        done, kernel, arguments = tasks.get()
        try:
            kernel(*arguments)
        except BaseException as error:
            done.put(error)
        else:
            done.put(None)
        del done, kernel, arguments  # arrays are free while it waits


def parts_of(costs: np.ndarray) -> list[int]:
    """Where to cut pieces of work into parts that end together: edges from 0 to the end.

    Args:
        costs: [pieces], nanoseconds each, roughly.
    """
    ends = costs.cumsum()
    return [0, *np.searchsorted(ends, _cuts(float(ends[-1]))).tolist(), len(costs)]


def even_parts(count: int, cost: float) -> list[int]:
    """`parts_of` for `count` pieces that cost the same."""
    return [0, *(int(cut / cost) for cut in _cuts(count * cost)), count]


def _cuts(cost: float) -> list[float]:
    """Where to cut work of nanoseconds: the first part, the caller's, begins LATE sooner."""
    parts = max(1, min(threads(), int((cost - LATE) / WORTH_A_THREAD)))
    return [LATE + (cost - LATE) / parts * part for part in range(1, parts)]
