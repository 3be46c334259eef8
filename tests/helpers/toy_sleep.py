"""A stand-in for kernels/warmup.py that takes long."""

import time

from sasrec.kernels import warmup as kernel_warmup


def compile_all() -> None:
    time.sleep(60)


if __name__ == "__main__":
    kernel_warmup.compile_all = compile_all
    kernel_warmup.main()
