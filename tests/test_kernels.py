"""How kernels are cut into parts, run by threads, made for a size and kept compiled."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec import kernels
from sasrec.kernels import WORTH_A_THREAD, even_parts, parts_of, run_parts, specialised

LITTLE = WORTH_A_THREAD / 1000


@given(costs=st.lists(st.integers(1, 50), min_size=1, max_size=60), scale=st.sampled_from([1, 500]))
def test_parts_cover_all_pieces_in_order(costs, scale):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 5)
        edges = parts_of(np.array(costs) * scale)
    assert (edges[0], edges[-1]) == (0, len(costs))
    assert (np.diff(edges) >= 0).all()
    parts = len(edges) - 1
    assert parts == max(1, min(5, sum(costs) * scale // WORTH_A_THREAD))
    shares = [sum(costs[start:stop]) for start, stop in pairwise(edges)]
    assert max(shares) <= sum(costs) / parts + max(costs)


@given(count=st.integers(0, 1000), cost=st.sampled_from([0.1, 100, 10_000]))
def test_even_parts(count, cost):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "get_num_threads", lambda: 3)
        edges = even_parts(count, cost)
    assert (edges[0], edges[-1]) == (0, count)
    sizes = np.diff(edges)
    assert sizes.max() - sizes.min() <= 1
    assert len(sizes) == max(1, min(3, int(count * cost / WORTH_A_THREAD)))


@pytest.mark.parametrize("edges", [[0, 6], [0, 2, 6], [0, 2, 2, 6]])
def test_rows_are_added_whatever_the_parts(edges, two_threads):
    add = specialised("row_kernels", SIZE=3).add
    ids, rows = np.array([1, 4, 1, 0, 4, 1]), np.arange(18.0).reshape(6, 3)
    sums = np.ones((5, 3))
    run_parts(add, ids, rows, 2.0, sums, len(edges) - 1, edges=np.array(edges))
    expected = np.ones((5, 3))
    np.add.at(expected, ids, 2 * rows)
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("edges", [[0, 2], [0, 1, 2]])
@pytest.mark.parametrize("bad", [-1, 5])
def test_an_id_outside_is_an_error_in_any_thread(edges, bad, two_threads):
    add = specialised("row_kernels", SIZE=3).add
    arguments = (np.array([1, bad]), np.ones((2, 3)), 1.0, np.zeros((5, 3)), len(edges) - 1)
    with pytest.raises(IndexError, match="out of range"):
        run_parts(add, *arguments, edges=np.array(edges))


def test_kernels_of_two_sizes_are_two():
    one, other = (specialised("row_kernels", SIZE=size).add for size in (3, 2))
    for add, size in ((one, 3), (other, 2), (one, 3)):
        sums = np.zeros((1, 3))
        run_parts(add, np.array([0]), np.ones((1, 3)), 1.0, sums, 1, edges=np.array([0, 1]))
        assert sums.sum() == size
    assert specialised("row_kernels", SIZE=3).add is one


COMPILE = """
import numpy, numba
from sasrec.kernels import run_parts, specialised
for edges in ([0, 2], [0, 1, 2]):
    add = specialised("row_kernels", SIZE=2).add
    run_parts(add, numpy.zeros(2, int), numpy.ones((2, 2)), 1.0, numpy.zeros((1, 2)), 1,
              edges=numpy.array(edges))
    kept = (add.alone if len(edges) == 2 else add.in_parts).stats
    print(sum(kept.cache_hits.values()), sum(kept.cache_misses.values()))
"""


def compile_in(home: Path, cache: Path) -> list[str]:
    finished = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env={"PATH": "", "PYTHONPATH": "stages", "HOME": str(home), "XDG_CACHE_HOME": str(cache)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stderr == ""
    return finished.stdout.splitlines()


def test_compiled_code_is_found_again(tmp_path):
    cache = tmp_path / "cache"
    assert compile_in(tmp_path, cache) == ["0 1", "0 1"]
    assert compile_in(tmp_path, cache) == ["1 0", "1 0"]
    (home,) = (cache / "sasrec").iterdir()
    assert home.name == kernels._HOME.name


def test_a_cache_that_cannot_be_written_to(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder belongs")
    assert compile_in(tmp_path, tmp_path / "cache") == ["0 1", "0 1"]
