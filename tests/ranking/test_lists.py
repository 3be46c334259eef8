"""Metrics of lists against loops over users and items, and by hand."""

import math
from itertools import combinations

import numpy as np
import pytest
from toys import toy_sequences

from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.ranking.lists import LISTS, Lists, describe_lists, diversity

# Item 7 occurs in no history; user 3 has no list, user 5's list is empty, user 2's ends early.
HISTORIES = [[1, 2, 1, 3], [3], [2, 5, 5], [6, 4, 1], [1, 2]]
USERS, TOP = [1, 2, 4, 5], [[4, 5, 6, 7], [1, 2, 0, 0], [2, 3, 5, 7], [0, 0, 0, 0]]
GENRES = dict(
    enumerate(
        [{"Drama"}, {"Drama", "War"}, set(), {"War"}, {"Comedy"}, {"Comedy", "War"}, set()], 1
    )
)
NAMES = ("Comedy", "Drama", "War")


def features_of(genres):
    numbers = [sorted(NAMES.index(name) for name in genres.get(item, ())) for item in range(8)]
    return ItemFeatures(
        NAMES,
        np.concatenate([[0], np.cumsum([len(one) for one in numbers])]),
        np.array([number for one in numbers for number in one], np.int32),
        np.zeros(8, np.int32),
    )


def lists_of(top=TOP, users=USERS, features=None):
    histories = toy_sequences(HISTORIES)
    return Lists(np.array(users), np.array(top), histories, 7, features)


def count(item):
    return sum(history.count(item) for history in HISTORIES)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def filled():
    return [([one for one in row if one], user) for row, user in zip(TOP, USERS, strict=True)]


def listed():
    return [item for row, _ in filled() for item in row]


def bits(item):
    users = sum(item in history for history in HISTORIES)
    return -math.log2(max(users, 1) / len(HISTORIES))


def lift():
    rows = [(row, HISTORIES[user - 1]) for row, user in filled() if row]
    of_lists = mean(mean(map(count, row)) for row, _ in rows)
    return of_lists / mean(mean(map(count, history)) for _, history in rows) - 1


def unlike(one, other):
    one, other = GENRES[one], GENRES[other]
    return 1 - len(one & other) / len(one | other)


def unlike_by_loop():
    values = []
    for row, _ in filled():
        pairs = list(combinations([item for item in row if GENRES[item]], 2))
        values += [mean(unlike(*pair) for pair in pairs)] if pairs else []
    return mean(values)


# By the name of the metric.
LOOPS = {
    "coverage": lambda: len(set(listed())) / 7,
    "popularity": lambda: mean(map(count, listed())),
    "novelty": lambda: mean(map(bits, listed())),
    "popularity_lift": lift,
    "diversity": unlike_by_loop,
}


@pytest.mark.parametrize("name", LISTS)
def test_each_equals_a_loop(name):
    found = describe_lists(lists_of(features=features_of(GENRES)))[f"{name}@10"]
    assert found == pytest.approx(LOOPS[name](), rel=1e-6)


def test_what_is_not_known_leaves_out_what_needs_it():
    whole = describe_lists(lists_of(features=features_of(GENRES)))
    assert list(whole) == [f"{name}@10" for name in LISTS]
    without = describe_lists(lists_of())
    assert whole.keys() - without.keys() == {"diversity@10"}
    assert without.items() <= whole.items()


def test_nothing_listed_is_0():
    found = describe_lists(lists_of([[0, 0]] * 4, features=features_of(GENRES)))
    assert set(found.values()) == {0}


def test_no_pair_of_items_with_genres_is_0():
    assert LISTS["diversity"].value(lists_of(features=features_of({1: {"War"}}))) == 0


def test_lists_of_what_users_took_have_no_lift():
    histories = [[1, 2], [3, 4], [1, 4]]
    lists = Lists(np.array([1, 2, 3]), np.array(histories), toy_sequences(histories), 4)
    assert LISTS["popularity_lift"].value(lists) == 0
    halves = Lists(np.array([1, 2]), np.array([[1, 0], [4, 0]]), toy_sequences(histories), 4)
    assert LISTS["popularity_lift"].value(halves) == pytest.approx(2 / 1.5 - 1)


def test_lists_that_end_early_count_only_what_they_hold() -> None:
    """User 1 has seen 1, 2, 3 of 4 items, user 2 has seen 2: the lists are (4) and (4, 1, 3)."""
    users = np.array([1, 1, 1, 2])
    histories = Sequences.from_interactions(users, np.array([1, 2, 3, 2]), 2)
    found = describe_lists(Lists(np.array([1, 2]), np.array([[4, 0, 0], [4, 1, 3]]), histories, 4))
    assert found["coverage@10"] == 3 / 4
    assert found["popularity@10"] == (0 + 0 + 1 + 1) / 4
    assert found["novelty@10"] == 1  # each of them is known by one of two users, or by nobody


def test_diversity_does_not_depend_on_blocks():
    lists = lists_of(features=features_of(GENRES))
    assert diversity(lists, block=1) == pytest.approx(diversity(lists), rel=1e-12)
