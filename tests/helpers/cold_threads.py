"""Eight threads that want compiled loops at once, with none compiled: each is to be made once.

    PYTHONPATH=stages python tests/helpers/cold_threads.py [--rank]

The loops alone take some seconds; with --rank, a model that ranks takes about a minute.
Prints what was wrong. --rank needs an empty folder as XDG_CACHE_HOME.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import torch
from places import ROOT

from sasrec.kernels import compiled_code
from sasrec.kernels.loops.row import add
from sasrec.kernels.parts import run_parts
from sasrec.kernels.prepare import prepare

THREADS = 8


def main() -> None:
    sys.setswitchinterval(1e-5)
    before = files()
    wrong = at_once(rank if "--rank" in sys.argv else compile_one)
    if new := files() - before:
        wrong.append(f"files that appeared: {sorted(new)}")
    print("\n".join(wrong) or "as it should be")


def at_once(work: Callable[[], str | None]) -> list[str]:
    """`work` in all threads, started together; what they return that is not None."""
    barrier = Barrier(THREADS)
    with ThreadPoolExecutor(THREADS) as pool:
        futures = [pool.submit(lambda: (barrier.wait(), work())[1]) for _ in range(THREADS)]
        return [result for future in futures if (result := future.result())]


def compile_one() -> str | None:
    sums, edges = np.zeros((2, 6)), np.array([0, 3])
    run_parts(add, np.array([0, 1, 0]), np.ones((3, 6)), 1.0, sums, 1, edges=edges)
    if sums.tolist() != [[2.0] * 6, [1.0] * 6]:
        return f"sums are {sums}"
    return f"{len(add.overloads)} were compiled" if len(add.overloads) != 1 else None


def rank() -> str | None:
    """Prepare a model in this thread and rank with it."""
    from toys import ROWS, toy_batch, toy_config

    from sasrec.model.sasrec import SASRec

    model = SASRec(toy_config(max_length=7), 23, seed=1).eval()
    prepare(model, report=lambda _: None)
    with torch.inference_mode():
        model.last_states(toy_batch(ROWS))
    here = compiled_code.compiled_here()
    return f"compiled in this process: {here}" if here else None


def files() -> set[str]:
    """All in the checkout and the working folder, but Python's own and those of the cache."""
    cache = Path(os.environ["XDG_CACHE_HOME"])
    return {
        str(path)
        for top in (ROOT, Path.cwd())
        for path in top.rglob("[!.]*")
        if path.is_file() and ".pyc" not in path.name and not path.is_relative_to(cache)
    }


if __name__ == "__main__":
    main()
