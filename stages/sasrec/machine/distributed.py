"""Several processes that train one model: started by `launch`, or by torchrun on many machines.

They trust whoever reaches them: what goes between them is neither encrypted nor signed.

Each process takes its share of every batch's users; the gradients of all are added before a step.
A process divides its losses by the positions of the whole batch, so the sum is the gradient that
one process would have had.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from torch import Tensor, distributed

from sasrec.base.errors import UserError
from sasrec.machine.processes import run_processes

HOST = "127.0.0.1"

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

    def copy_from_first(self, tensor: Tensor) -> Tensor:
        """What the first process's tensor holds, in all, in place."""
        if self.size > 1:
            distributed.broadcast(tensor, src=0)
        return tensor

    def from_first(self, value: T | None) -> T:
        """What the first process holds; the others pass None."""
        if self.size == 1:
            assert value is not None
            return value
        held = [value]
        distributed.broadcast_object_list(held, src=0)
        return held[0]

    def from_all(self, value: T) -> list[T]:
        """What each process holds, in the order of their ranks."""
        if self.size == 1:
            return [value]
        held: list[T | None] = [None] * self.size
        distributed.all_gather_object(held, value)
        return cast(list[T], held)


def is_launched() -> bool:
    """True in a process that torchrun, or `launch`, started."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def check_started(processes: int) -> None:
    """Hold that what started this process started as many as `train.processes` says.

    So what is recorded of a training says how it was shared: results depend on that.

    Raises:
        UserError: torchrun started more or fewer.
    """
    if is_launched() and int(os.environ["WORLD_SIZE"]) != processes:
        raise UserError(
            f"torchrun started {os.environ['WORLD_SIZE']} processes in all, and train.processes = "
            f"{processes}: set train.processes to what torchrun is told, machines times processes "
            "on each"
        )


def spans_machines() -> bool:
    """True where torchrun started processes beside those of this machine."""
    return os.environ.get("LOCAL_WORLD_SIZE", "1") != os.environ.get("WORLD_SIZE", "1")


def is_first_here() -> bool:
    """One process of each machine."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def launch(processes: int) -> None:
    """Run this very script in `processes` processes of this machine, and wait for them.

    Raises:
        UserError: one of them failed, and why; then all have ended.
    """
    # They find each other by a store that this process holds, on a port that is free.
    store = distributed.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    threads = max(1, (os.cpu_count() or 1) // processes)
    shared = {
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)),
        "MASTER_ADDR": HOST,
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # the first process joins the store as the others
        "WORLD_SIZE": str(processes),
        "LOCAL_WORLD_SIZE": str(processes),
    }
    run_processes(
        [shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    )


@contextmanager
def world(device: torch.device) -> Iterator[World]:
    """The processes that were launched, connected (nccl on CUDA, else gloo); alone without."""
    if not is_launched():
        yield World()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield World(distributed.get_rank(), distributed.get_world_size())
    # Only where all went well: to leave after a failure would make the others fail for it.
    distributed.destroy_process_group()
