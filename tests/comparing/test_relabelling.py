"""The comparison of two data sets up to a relabelling, against brute force and by hand."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_edges import Edge, graph_of, random_edges, renamed, swap_neighbours

from sasrec.comparing.datasets.agreement import align_order, same_positions
from sasrec.comparing.datasets.comparison import compare
from sasrec.comparing.datasets.graph import ITEM, USER, Matching, common_interactions
from sasrec.comparing.datasets.near_matching import find_near_matching
from sasrec.comparing.datasets.pairing import Edges, shared_neighbours
from sasrec.comparing.datasets.relabelling import find_relabelling

edge_lists = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=9)


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


def test_edges_decide_where_colours_and_twins_would_not() -> None:
    """Equal lengths and popularities, and repeats that stand elsewhere."""
    ours = [(0, 0), (0, 1), (0, 1), (1, 1), (1, 1)]
    theirs = [(0, 1), (0, 1), (0, 1), (1, 0), (1, 1)]
    assert find_relabelling(graph_of(ours), graph_of(theirs)) is None
    report = compare(graph_of(ours), graph_of(theirs))
    assert report["equal"] is False
    assert "no renaming was found" in report["first_difference"]


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


@pytest.mark.parametrize("seed", range(3))
def test_twins_keep_their_order_though_another_user_does_not(seed: int) -> None:
    """Five users of the same seven items are free to be exchanged; user 5 is turned round."""
    rng = np.random.default_rng(seed)
    twins = [(user, item) for user in range(5) for item in rng.permutation(7)]
    turned = [(5, 7), (5, 8), (5, 8), (5, 9), (5, 9), (5, 9)]
    theirs, _, _ = renamed(np.array(twins + turned[::-1]), rng)
    reference, other = graph_of(twins + turned), graph_of(theirs)
    matching = find_relabelling(reference, other)
    assert matching is not None
    same = same_positions(reference, other, matching)
    assert same.tolist() == [True] * 35 + [False] * 6


def test_an_item_without_counterpart_makes_no_interaction_common() -> None:
    reference, other = graph_of([(0, 0), (1, 1)]), graph_of([(0, 0), (0, 1), (1, 0)])
    matching = Matching((np.array([0, 1]), np.array([0, -1])))
    agreement = common_interactions(reference, other, matching)
    assert agreement.reference.tolist() == [True, False]
    assert agreement.other.tolist() == [True, False, False]


def test_more_items_than_users_do_not_mix_them_up() -> None:
    """Numbered by users instead of items, (0, 2) and (1, 0) would be the same."""
    reference = graph_of([(0, 0), (0, 1), (0, 2), (1, 1)])
    other = graph_of([(0, 0), (0, 1), (1, 0), (1, 1), (1, 2)])
    identity = Matching((np.arange(2), np.arange(3)))
    agreement = common_interactions(reference, other, identity)
    assert agreement.reference.tolist() == [True, True, False, True]
    assert agreement.other.tolist() == [True, True, False, True, False]


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
