"""A stand-in for kernels/warmup.py that takes long."""

import time

from sasrec.kernels import warmup as kernel_warmup


def compile_for(size: int, num_heads: int) -> None:
    time.sleep(60)


if __name__ == "__main__":
    kernel_warmup.compile_for = compile_for
    kernel_warmup.main()
