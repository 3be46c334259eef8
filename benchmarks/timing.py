"""Medians of repeated runs, and the machine that they are measured against."""

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds of several runs."""

    seconds: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        return f"{self.median:.3f} s ({min(self.seconds):.3f} to {max(self.seconds):.3f})"


def measure(run: Callable[[], object], repeats: int, warm_up: int = 1) -> Timing:
    """Wall time of `run`, which must leave no work queued on a device."""
    for _ in range(warm_up):
        run()
    return Timing([once(run) for _ in range(repeats)])


def once(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def wait_for(device: torch.device) -> None:
    """Until everything queued on `device` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_product_peak(device: torch.device, size: int = 2048) -> float:
    """Floating-point operations a second of a float32 matrix product, the best of ten."""
    left = torch.randn(size, size, device=device)

    def product() -> None:
        left @ left
        wait_for(device)

    product()
    return 2 * size**3 / min(once(product) for _ in range(10))


def describe_machine(device: torch.device) -> str:
    """Processor or GPU, threads, and torch, in a line."""
    name = name_machine(device)
    if device.type != "cuda":
        name += f", {torch.get_num_threads()} threads"
    return f"{name}; torch {torch.__version__}, Python {platform.python_version()}"


def name_machine(device: torch.device) -> str:
    """Processor or GPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
