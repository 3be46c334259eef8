"""Pieces of work by several threads: order, errors, and what is left of it behind."""

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from sasrec.machine.parallel import map_in_threads


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    assert torch.get_num_threads() == 3
    torch.set_num_threads(before)


def test_results_come_in_order():
    def work(part: int) -> int:
        time.sleep(0.01 * (5 - part))
        return part * part

    assert list(map_in_threads(work, range(5))) == [0, 1, 4, 9, 16]


def test_as_many_at_once_as_torch_has_threads_each_with_one():
    together = threading.Barrier(3, timeout=20)

    def work(_: int) -> int:
        together.wait()
        return torch.get_num_threads()

    assert list(map_in_threads(work, range(6))) == [1] * 6


def test_an_error_ends_it():
    started = []

    def work(part: int) -> int:
        started.append(part)
        if part == 1:
            raise ValueError("no")
        time.sleep(0.05)
        return part

    with pytest.raises(ValueError, match="no"):
        list(map_in_threads(work, range(100)))
    assert len(started) < 100


def test_nothing_to_do():
    assert list(map_in_threads(str, [])) == []
