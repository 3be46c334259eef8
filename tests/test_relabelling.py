"""The comparison of two data sets up to a relabelling, against brute force and by hand."""

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sasrec.comparison_text import describe
from sasrec.data_comparison import compare
from sasrec.interaction_graph import ITEM, USER, InteractionGraph, Matching, common_interactions
from sasrec.near_matching import find_near_matching
from sasrec.pairing import Edges, shared_neighbours
from sasrec.relabelling import find_relabelling
from sasrec.sequence_agreement import align_order, same_positions

SCRIPT = Path(__file__).parents[1] / "stages" / "compare_data.py"
MIRROR = os.environ.get("SASREC_MIRROR", "")

Edge = tuple[int, int]
edge_lists = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=9)


def graph_of(edges: list[Edge] | np.ndarray) -> InteractionGraph:
    edges = np.asarray(edges)
    return InteractionGraph(edges[:, 0], edges[:, 1])


def renamed(
    edges: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The edges under new names, grouped by the new users; the new names of 0, 1, ..."""
    users = rng.permutation(edges[:, 0].max() + 1)
    items = rng.permutation(edges[:, 1].max() + 1)
    result = np.stack([users[edges[:, 0]], items[edges[:, 1]]], axis=1)
    return result[np.argsort(result[:, 0], kind="stable")], users, items


def random_edges(seed: int, num_users: int = 61, num_items: int = 43) -> np.ndarray:
    """Sequences of 5 to 15 items, a few items twice; every user and item occurs."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(2, num_items + 2)
    sequences = [
        rng.choice(num_items, size=rng.integers(5, 16), p=weights / weights.sum())
        for _ in range(num_users)
    ]
    sequences[0] = rng.permutation(num_items)
    return np.array([(user, item) for user, items in enumerate(sequences) for item in items])


def equal_by_brute_force(ours: list[Edge], theirs: list[Edge]) -> bool:
    our_users, our_items = (sorted({edge[side] for edge in ours}) for side in (0, 1))
    their_users, their_items = (sorted({edge[side] for edge in theirs}) for side in (0, 1))
    if len(our_users) != len(their_users) or len(our_items) != len(their_items):
        return False
    wanted = Counter(theirs)
    for users in permutations(their_users):
        user_name = dict(zip(our_users, users, strict=True))
        for items in permutations(their_items):
            item_name = dict(zip(our_items, items, strict=True))
            if Counter((user_name[u], item_name[i]) for u, i in ours) == wanted:
                return True
    return False


@given(edge_lists, edge_lists)
def test_equal_agrees_with_brute_force(ours: list[Edge], theirs: list[Edge]) -> None:
    expected = equal_by_brute_force(ours, theirs)
    assert (find_relabelling(graph_of(ours), graph_of(theirs)) is not None) == expected
    assert compare(graph_of(ours), graph_of(theirs))["equal"] == expected


@given(edge_lists, st.integers(0, 2**32), st.data())
def test_one_edge_moved_agrees_with_brute_force(
    ours: list[Edge], seed: int, data: st.DataObject
) -> None:
    """Near misses: many have equal frequencies, some are equal after all."""
    theirs, _, _ = renamed(np.array(ours), np.random.default_rng(seed))
    theirs[data.draw(st.integers(0, len(ours) - 1)), 1] = data.draw(st.integers(0, 3))
    expected = equal_by_brute_force(ours, [(u, i) for u, i in theirs.tolist()])
    assert compare(graph_of(ours), graph_of(theirs))["equal"] == expected


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_a_renamed_copy_is_found(edges: list[Edge], seed: int, in_order: bool) -> None:
    rng = np.random.default_rng(seed)
    source = np.array(edges)
    theirs, _, _ = renamed(source if in_order else rng.permutation(source), rng)
    reference, other = graph_of(source), graph_of(theirs)
    matching = find_relabelling(reference, other)
    assert matching is not None
    user_name, item_name = (
        other.raw_ids[side][matching.of[side]][reference.ends[side]] for side in (USER, ITEM)
    )
    assert Counter(zip(user_name.tolist(), item_name.tolist(), strict=True)) == Counter(
        map(tuple, theirs.tolist())
    )
    if in_order:
        assert same_positions(reference, other, matching).all()


@given(edge_lists, edge_lists)
@settings(max_examples=50)
def test_a_near_matching_is_one_to_one_and_its_differences_add_up(
    ours: list[Edge], theirs: list[Edge]
) -> None:
    reference, other = graph_of(ours), graph_of(theirs)
    matching = find_near_matching(reference, other)
    for side in (USER, ITEM):
        matched = matching.of[side][matching.of[side] >= 0]
        assert len(set(matched.tolist())) == len(matched)
    mapped = Counter(
        (matching.of[USER][u], matching.of[ITEM][i])
        for u, i in zip(*reference.ends, strict=True)
        if matching.of[USER][u] >= 0 and matching.of[ITEM][i] >= 0
    )
    in_common = (mapped & Counter(zip(*other.ends, strict=True))).total()
    agreement = common_interactions(reference, other, matching)
    assert agreement.reference.sum() == agreement.other.sum() == in_common


def cycle(length: int, first: int) -> list[Edge]:
    """A ring of `length` users and as many items: everybody has two neighbours."""
    return [(first + u, first + (u + step) % length) for u in range(length) for step in (0, 1)]


def test_rings_that_colours_cannot_tell_apart() -> None:
    one_ring, two_rings = cycle(4, 0), cycle(2, 0) + cycle(2, 2)
    # A ring of 2 users and 2 items is the complete graph of them.
    assert compare(graph_of(one_ring), graph_of(two_rings))["equal"] is False
    mixed = np.array(cycle(6, 0) + cycle(3, 6) + cycle(3, 9) + cycle(4, 12))
    theirs, _, _ = renamed(mixed, np.random.default_rng(5))
    shuffled = np.random.default_rng(6).permutation(theirs)
    assert compare(graph_of(mixed), graph_of(shuffled))["equal"] is True
    other = np.array(cycle(6, 0) + cycle(6, 6) + cycle(4, 12))
    assert compare(graph_of(mixed), graph_of(other))["equal"] is False


def test_users_with_the_same_items_are_matched_by_their_order() -> None:
    rng = np.random.default_rng(7)
    edges = np.array([(user, item) for user in range(29) for item in rng.permutation(11)])
    theirs, _, _ = renamed(edges, rng)
    report = compare(graph_of(edges), graph_of(theirs))
    assert report["equal"]
    assert report["order"]["equal_sequences"] == 29


def test_of_many_symmetries_the_one_that_keeps_the_order_is_found() -> None:
    """A ring may be turned and mirrored as one likes; the order allows few of these."""
    rng = np.random.default_rng(1)
    ring = np.array([(u, (u + step) % 31) for u in range(31) for step in rng.permutation(2)])
    theirs, _, _ = renamed(ring, rng)
    report = compare(graph_of(ring), graph_of(theirs))
    assert report["equal"]
    assert report["order"]["equal_sequences"] == 31


def test_twins_are_exchanged_until_the_order_agrees() -> None:
    """Users 0 and 1 have the same items; a matching that crosses them agrees nowhere."""
    edges = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 0)]
    reference, other = graph_of(edges), graph_of(edges)
    crossed = Matching((np.array([1, 0]), np.array([0, 1, 2])))
    assert same_positions(reference, other, crossed).sum() == 0
    aligned = align_order(reference, other, crossed)
    assert aligned.of[USER].tolist() == [0, 1]
    assert same_positions(reference, other, aligned).all()


def test_same_positions_count_from_the_end() -> None:
    reference = graph_of([(0, 5), (0, 6), (0, 7), (1, 5), (1, 6)])
    other = graph_of([(0, 6), (0, 7), (1, 6), (1, 5)])  # the first is lost, user 1 turned round
    matching = Matching((np.array([0, 1]), np.array([0, 1, 2])))
    same = same_positions(reference, other, matching)
    assert same.tolist() == [False, True, True, False, False]


def test_repeated_interactions_count_as_often_as_they_occur() -> None:
    reference, other = graph_of([(0, 0), (0, 0), (0, 1)]), graph_of([(0, 0), (0, 1), (0, 1)])
    identity = Matching((np.array([0]), np.array([0, 1])))
    agreement = common_interactions(reference, other, identity)
    assert agreement.reference.tolist() == [True, False, True]
    assert agreement.other.tolist() == [True, True, False]


@given(edge_lists, edge_lists)
@settings(max_examples=50)
def test_shared_neighbours_by_brute_force(ours: list[Edge], theirs: list[Edge]) -> None:
    left, right = (
        Edges(*np.array(edges).T, position=np.arange(len(edges))) for edges in (ours, theirs)
    )
    pairs = shared_neighbours(left, right, limit=1000)
    expected = Counter((u, v) for u, key in ours for v, other_key in theirs if key == other_key)
    aligned = Counter(
        (u, v)
        for position, (u, key) in enumerate(ours)
        for other_position, (v, other_key) in enumerate(theirs)
        if key == other_key and position == other_position
    )
    found = list(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
    assert dict(zip(found, pairs.shared.tolist(), strict=True)) == expected
    assert dict(zip(found, pairs.aligned.tolist(), strict=True)) == {
        pair: aligned[pair] for pair in expected
    }


def swap_neighbours(edges: np.ndarray, rng: np.random.Generator, number: int) -> np.ndarray:
    """Exchange some neighbours in time within users, as if equal times were ordered anew."""
    edges = edges.copy()
    for row in rng.choice(len(edges) - 1, size=number, replace=False):
        if edges[row, 0] == edges[row + 1, 0]:
            edges[[row, row + 1], 1] = edges[[row + 1, row], 1]
    return edges


@pytest.mark.parametrize("seed", range(5))
def test_the_renaming_is_recovered_though_the_order_differs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    edges = random_edges(seed)
    swapped = swap_neighbours(edges, rng, 100)
    theirs, users, items = renamed(swapped, rng)
    matching = find_relabelling(graph_of(edges), graph_of(theirs))
    assert matching is not None
    assert matching.of[USER].tolist() == users.tolist()
    # Rare items that the very same users have are free to be exchanged; the order decides.
    agreeing = same_positions(graph_of(edges), graph_of(theirs), matching).sum()
    assert agreeing >= (edges[:, 1] == swapped[:, 1]).sum()
    report = compare(graph_of(edges), graph_of(theirs))
    assert report["equal"]
    assert report["order"]["equal_positions"] == agreeing
    assert len(items) == report["matching"]["items"]


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


# The command


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def write_text(path: Path, edges: np.ndarray) -> Path:
    path.write_text("".join(f"{user} {item}\n" for user, item in edges))
    return path


def write_folder(folder: Path, edges: np.ndarray) -> Path:
    """As preprocess writes it: ids from 1, and here raw ids like u7 and i7."""
    folder.mkdir(parents=True)
    for column, name in enumerate(("user", "item")):
        np.save(folder / f"{name}.npy", (edges[:, column] + 1).astype(np.int32))
        with (folder / f"{name}s.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "raw_id"])
            writer.writerows((n + 1, f"{name[0]}{n}") for n in range(edges[:, column].max() + 1))
    return folder


def test_command_compares_a_file_with_the_pipelines_folder(tmp_path: Path) -> None:
    edges = random_edges(3)
    theirs, users, items = renamed(edges, np.random.default_rng(3))
    reference = write_text(tmp_path / "reference.txt", edges)
    write_folder(tmp_path / "data" / "interactions", theirs)
    equal = run(reference, folder=tmp_path)
    assert (equal.returncode, equal.stderr) == (0, "")
    assert "in the same order" in equal.stdout

    shorter = write_folder(tmp_path / "shorter", theirs[1:])
    different = run(reference, shorter, "--json", "report.json", folder=tmp_path)
    assert (different.returncode, different.stderr) == (1, "")
    report = json.loads((tmp_path / "report.json").read_text())
    user, item = theirs[0]
    example = {
        "user": str(np.flatnonzero(users == user)[0]),
        "user_counterpart": f"u{user}",
        "item": str(np.flatnonzero(items == item)[0]),
        "item_counterpart": f"i{item}",
    }
    assert report["matching"]["examples_in_reference"] == [example]
    assert (
        f"reference: user {example['user']}, item {example['item']} has no counterpart "
        f"(other: user u{user}, item i{item})"
    ) in different.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"1 2\n1 3 4\n", "line 2: expected two whole numbers `user item`, found '1 3 4'"),
        (b"1 2\n\n1 3\n", "line 2: expected"),
        (b"1 2\n1 x\n", "line 2: expected"),
        (b"1 2\n1 -3\n", "line 2: expected"),
        (b"1 99999999999999999999\n", "line 1: expected"),
        (b"\xff\xfe1 2\n", "is not a text file"),
        (None, "not found"),
    ],
)
def test_command_explains_unreadable_text(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "bad.txt").write_bytes(content)
    result = run("bad.txt", folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("user", "item", "message"),
    [
        (None, [1, 2], "user.npy not found"),
        ([1, 1], [1, 2, 3], "user.npy has 2 rows, but item.npy has 3"),
        ([2, 2, 1], [1, 2, 3], "not sorted by user: see row 3"),
        ([], [], "expected one non-empty column"),
    ],
)
def test_command_explains_an_unreadable_folder(
    tmp_path: Path, user: list[int] | None, item: list[int], message: str
) -> None:
    for name, column in (("user", user), ("item", item)):
        if column is not None:
            np.save(tmp_path / f"{name}.npy", np.array(column, dtype=np.int32))
    result = run(tmp_path, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,raw_id\n1,a\n", "users.csv has no row for the id 2"),
        ("id,name\n1,a\n2,b\n", "users.csv lacks the column raw_id"),
    ],
)
def test_command_explains_names_that_are_missing(
    tmp_path: Path, content: str, message: str
) -> None:
    write_folder(tmp_path / "data", np.array([(0, 0), (1, 0)]))
    (tmp_path / "data" / "users.csv").write_text(content)
    result = run("data", "data", folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr


def test_command_explains_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / "data.txt", np.array([(1, 1), (1, 2)]))
    (tmp_path / "taken").mkdir()
    result = run("data.txt", "data.txt", "--json", "taken", folder=tmp_path)
    assert result.returncode == 2
    assert "cannot write taken: " in result.stderr
    assert result.stderr.count("\n") == 1


def test_command_explains_a_broken_column(tmp_path: Path) -> None:
    (tmp_path / "user.npy").touch()
    result = run(tmp_path, folder=tmp_path)
    assert result.returncode == 2
    assert "user.npy is not a readable .npy array" in result.stderr
    assert result.stderr.count("\n") == 1


def test_command_without_arguments_is_a_wrong_usage(tmp_path: Path) -> None:
    assert run(folder=tmp_path).returncode == 2


# The authors' file


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
