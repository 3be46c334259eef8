"""Several processes that train one model, started by PyTorch's own launcher (torchrun).

Each process takes its share of every batch's users; the gradients of all are added before a step.
A process divides its losses by the positions of the whole batch, so the sum is the gradient that
one process would have had.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

from sasrec.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """Which of how many processes this is."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Only the first process validates, prints and writes."""
        return self.rank == 0

    def add_up(self, tensor: Tensor) -> Tensor:
        """The sum over processes, in place."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def from_first(self, value: T | None) -> T:
        """What the first process holds; the others pass None."""
        if self.size == 1:
            assert value is not None
            return value
        held = [value]
        distributed.broadcast_object_list(held, src=0)
        return held[0]


def is_launched() -> bool:
    """True in a process that torchrun started."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def launch(processes: int) -> None:
    """Run this very script in `processes` processes of this machine, and wait for them.

    Raises:
        UserError: they failed; what they printed says why.
    """
    threads = max(1, (os.cpu_count() or 1) // processes)
    result = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *(f"--nproc-per-node={processes}", *sys.argv),
        ],
        env={"OMP_NUM_THREADS": str(threads)} | os.environ,
        check=False,
    )
    if result.returncode:
        raise UserError(f"training in {processes} processes failed, see above")


@contextmanager
def world(device: torch.device) -> Iterator[World]:
    """The processes that torchrun started, connected (nccl on CUDA, else gloo); alone without."""
    if not is_launched():
        yield World()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield World(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
