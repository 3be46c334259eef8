"""What is said of two data sets that differ, or are the same under other names."""

import os
from pathlib import Path

import numpy as np
import pytest
from toy_edges import Edge, graph_of, random_edges, renamed, swap_neighbours

from sasrec.comparing.datasets.comparison import compare
from sasrec.comparing.datasets.graph import ITEM, USER
from sasrec.comparing.datasets.relabelling import find_relabelling
from sasrec.comparing.datasets.text import describe

MIRROR = os.environ.get("SASREC_MIRROR", "")


def one_changed(theirs: np.ndarray, change: str, row: int, new_item: int) -> np.ndarray:
    if change == "deleted":
        return np.delete(theirs, row, axis=0)
    if change == "added":
        return np.insert(theirs, row, [theirs[row, 0], new_item], axis=0)
    changed = theirs.copy()
    changed[row, 1] = new_item
    return changed


@pytest.mark.parametrize("change", ["replaced", "deleted", "added"])
@pytest.mark.parametrize("seed", range(4))
def test_one_changed_interaction_is_named(change: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = random_edges(seed)
    theirs, users, items = renamed(edges, rng)
    row = int(rng.integers(len(theirs)))
    user, old_item = theirs[row].tolist()
    had = set(theirs[theirs[:, 0] == user, 1].tolist())
    new_item = next(item for item in items[:20].tolist() if item not in had)  # a frequent one
    report = compare(graph_of(edges), graph_of(one_changed(theirs, change, row, new_item)))

    our_user = str(np.flatnonzero(users == user)[0])
    our_item, our_new = (str(np.flatnonzero(items == i)[0]) for i in (old_item, new_item))
    gone = [(our_user, our_item, str(user), str(old_item))] if change != "added" else []
    come = [(str(user), str(new_item), our_user, our_new)] if change != "deleted" else []
    for name, expected in (("reference", gone), ("other", come)):
        found = report["matching"][f"examples_in_{name}"]
        keys = ("user", "item", "user_counterpart", "item_counterpart")
        assert [tuple(example[key] for key in keys) for example in found] == expected
    assert report["equal"] is False
    assert "nearly the same" in describe(report)


@pytest.mark.parametrize(
    ("theirs", "difference"),
    [
        ([(0, 0), (0, 1), (1, 0), (1, 2), (2, 0)], "number of users differs: 2"),
        ([(0, 0), (0, 1), (1, 0), (1, 1)], "number of items differs: 3"),
        ([(0, 0), (0, 1), (1, 0), (1, 2), (1, 1)], "number of interactions differs: 4"),
        ([(0, 0), (1, 0), (1, 1), (1, 2)], "place 1: 2 in the reference, 3 in the other"),
        ([(0, 0), (0, 0), (1, 1), (1, 2)], "no renaming was found"),
    ],
)
def test_the_first_difference_is_named(theirs: list[Edge], difference: str) -> None:
    ours = [(0, 0), (0, 1), (1, 0), (1, 2)]
    assert difference in compare(graph_of(ours), graph_of(theirs))["first_difference"]


def test_popularities_that_differ_are_named_with_their_place() -> None:
    ours = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]  # popularities 2, 2, 2
    theirs = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 0), (1, 1)]  # 3, 2, 1
    difference = compare(graph_of(ours), graph_of(theirs))["first_difference"]
    assert "item popularities" in difference
    assert "place 1: 2 in the reference, 3 in the other" in difference


def test_a_lost_interaction_among_many_equal_parts_is_found() -> None:
    """Every user with two items of their own: nothing but the loss tells one from another."""
    edges = np.array([(user, 2 * user + k) for user in range(300) for k in range(2)])
    theirs, _, _ = renamed(np.delete(edges, 77, axis=0), np.random.default_rng(2))
    matching = compare(graph_of(edges), graph_of(theirs))["matching"]
    assert (matching["only_in_reference"], matching["only_in_other"]) == (1, 0)


def test_different_data_are_called_so() -> None:
    report = compare(graph_of(random_edges(1)), graph_of(random_edges(2, 67, 31)))
    assert not report["equal"]
    assert "different data" in describe(report)
    # Users and items that are paired for want of better are not counted as overlap.
    matched, all_users = report["matching"]["users"], report["counts"]["reference"]["users"]
    assert matched < all_users


@pytest.mark.skipif(not (Path(MIRROR) / "ml-1m.txt").is_file(), reason="needs SASREC_MIRROR")
def test_ml_1m_renamed_reordered_and_changed() -> None:
    edges = np.loadtxt(Path(MIRROR) / "ml-1m.txt", dtype=np.int64) - 1
    rng = np.random.default_rng(11)
    theirs, users, items = renamed(swap_neighbours(edges, rng, 50_000), rng)
    reference = graph_of(edges)
    matching = find_relabelling(reference, graph_of(theirs))
    assert matching is not None
    assert matching.of[USER].tolist() == users.tolist()
    assert matching.of[ITEM].tolist() == items.tolist()

    row = 500_000
    user, item = theirs[row].tolist()
    report = compare(reference, graph_of(np.delete(theirs, row, axis=0)))
    assert report["matching"]["only_in_other"] == 0
    assert report["matching"]["examples_in_reference"] == [
        {
            "user": str(np.flatnonzero(users == user)[0]),
            "user_counterpart": str(user),
            "item": str(np.flatnonzero(items == item)[0]),
            "item_counterpart": str(item),
        }
    ]
