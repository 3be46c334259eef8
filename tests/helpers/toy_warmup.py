"""A stand-in for kernels/warmup.py, named by `compiling.WARMUP`: it compiles one small kernel."""

import numpy as np

from sasrec.kernels import warmup as kernel_warmup
from sasrec.kernels.parts import run_parts, specialised


def add_ones(size: int) -> np.ndarray:
    """[1, size], of ones added twice by a kernel."""
    sums = np.zeros((1, size))
    add = specialised("row", SIZE=size).add
    run_parts(add, np.zeros(2, int), np.ones((2, size)), 1.0, sums, 1, edges=np.array([0, 2]))
    return sums


def compile_for(size: int, num_heads: int) -> None:
    print("on stdout, which is not for printing")
    add_ones(size)


if __name__ == "__main__":
    kernel_warmup.compile_for = compile_for
    kernel_warmup.main()
