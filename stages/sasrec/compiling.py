"""Compiling the kernels for a model before it is used, always in the same way.

Code that a process has just compiled rounds a little differently from the same code loaded from
files: the compiler may join functions otherwise. So that the same seed gives the same bytes, a
process of its own compiles everything, from nothing and in one order (kernel_warmup.py), and all
others load what it left.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock

from sasrec import kernels

SCRIPT = Path(__file__).with_name("kernel_warmup.py")


def compile_for(
    device: torch.device, size: int, num_heads: int, report: Callable[[str], None] = print
) -> None:
    """Have the kernels for this hidden size and number of heads ready to be loaded.

    Call it before a model of that size computes; it does nothing on a GPU.

    Args:
        report: told if it will take a while.
    """
    if device.type != "cpu":
        return
    folder = kernels.folder_for(size, num_heads)
    if not folder.exists():
        report("compiling loops for this model: about 40 s, once on this machine")
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                _compile(folder, size, num_heads)
    kernels.keep_in(folder)


def _compile(folder: Path, size: int, num_heads: int) -> None:
    with tempfile.TemporaryDirectory(prefix=folder.name, dir=folder.parent) as temporary:
        compiled = Path(temporary) / "compiled"
        subprocess.run(
            [sys.executable, SCRIPT, compiled, str(size), str(num_heads)],
            check=True,
            env=os.environ
            | {
                "PYTHONPATH": str(SCRIPT.parents[1]),
                "OMP_NUM_THREADS": str(min(2, torch.get_num_threads())),
            },
        )
        compiled.rename(folder)
