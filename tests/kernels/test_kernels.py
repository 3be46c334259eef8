"""How kernels are cut into parts and run by threads."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from places import STAGES, TESTS

from sasrec.kernels.loops.row import add
from sasrec.kernels.parts import (
    LATE,
    WORTH_A_THREAD,
    even_parts,
    loops_alone,
    parts_of,
    run_parts,
    threads,
)


def cut(function, *arguments, threads):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: threads)
        return function(*arguments)


def assert_they_end_together(edges, costs):
    """All pieces, in order; the first part, the caller's, begins before the others."""
    assert (edges[0], edges[-1]) == (0, len(costs))
    assert (np.diff(edges) >= 0).all()
    parts = len(edges) - 1
    assert parts == max(1, min(5, int((sum(costs) - LATE) / WORTH_A_THREAD)))
    ends = [sum(costs[start:stop]) + LATE * (part > 0) for part, (start, stop) in
            enumerate(pairwise(edges))]  # fmt: skip
    assert parts == 1 or max(ends) - min(ends) <= 2 * max(costs)


@given(costs=st.lists(st.integers(1, 50), min_size=1, max_size=60), scale=st.sampled_from([1, 900]))
def test_parts_end_together(costs, scale):
    costs = [cost * scale for cost in costs]
    assert_they_end_together(cut(parts_of, np.array(costs), threads=5), costs)


@given(count=st.integers(0, 1000), cost=st.sampled_from([0.1, 100, 10_000]))
def test_even_parts_end_together(count, cost):
    edges = cut(even_parts, count, cost, threads=5)
    assert_they_end_together(edges, [cost] * count)


def test_loops_alone_have_the_threads_until_the_end(two_threads):
    def work() -> None:
        with loops_alone():
            assert (torch.get_num_threads(), threads()) == (1, 2)
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert (torch.get_num_threads(), threads()) == (2, 2)


@pytest.mark.parametrize("edges", [[0, 6], [0, 2, 6], [0, 2, 2, 6]])
def test_rows_are_added_whatever_the_parts(edges, two_threads):
    ids, rows = np.array([1, 4, 1, 0, 4, 1]), np.arange(18.0).reshape(6, 3)
    sums = np.ones((5, 3))
    run_parts(add, ids, rows, 2.0, sums, len(edges) - 1, edges=np.array(edges))
    expected = np.ones((5, 3))
    np.add.at(expected, ids, 2 * rows)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("edges", [[0, 2], [0, 1, 2]])
@pytest.mark.parametrize("bad", [-1, 5])
def test_an_id_outside_is_an_error_in_any_thread(edges, bad, two_threads):
    arguments = (np.array([1, bad]), np.ones((2, 3)), 1.0, np.zeros((5, 3)), len(edges) - 1)
    with pytest.raises(IndexError, match="out of range"):
        run_parts(add, *arguments, edges=np.array(edges))


def test_one_compiled_kernel_serves_any_size():
    before = len(add.overloads)  # of other types, which other tests used
    for size in (3, 2, 17):
        sums = np.zeros((1, size))
        run_parts(add, np.array([0]), np.ones((1, size)), 1.0, sums, 1, edges=np.array([0, 1]))
        assert sums.tolist() == [[1.0] * size]
    assert len(add.overloads) <= before + 1


def test_threads_that_come_at_once_compile_once(tmp_path):
    finished = subprocess.run(
        [sys.executable, TESTS / "helpers/cold_threads.py"],
        env=os.environ
        | {
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
            "HOME": str(tmp_path),
            "PYTHONPATH": str(STAGES),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (finished.stdout, finished.stderr) == ("as it should be\n", "")
    assert not list(tmp_path.iterdir())
