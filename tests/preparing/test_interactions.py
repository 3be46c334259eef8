"""Cleaning, time order and numbering, against plain Python restatements."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sasrec.base.errors import UserError
from sasrec.preparing.cleaning import (
    drop_duplicates,
    drop_low_ratings,
    filter_k_core,
    filter_once,
)
from sasrec.preparing.interactions import Interactions, by_user, dense_order, numbered, summarise

Row = tuple[str, str, int, float]  # user, item, time, rating


def table(
    rows: list[Row],
    *,
    has_timestamps: bool = True,
    rated: bool = True,
    order: list[int] | None = None,
) -> Interactions:
    users = list(dict.fromkeys(row[0] for row in rows))
    items = list(dict.fromkeys(row[1] for row in rows))
    rating = np.array([row[3] for row in rows], dtype=np.float32)
    return Interactions(
        user=np.array([users.index(row[0]) for row in rows], dtype=np.int32),
        item=np.array([items.index(row[1]) for row in rows], dtype=np.int32),
        timestamp=np.array([row[2] for row in rows], dtype=np.int64),
        rating=rating if rated else None,
        time_unit="ms" if has_timestamps else None,
        order=None if order is None else np.array(order, dtype=np.int64),
        user_ids=users,
        item_ids=items,
    )


def back(data: Interactions) -> list[Row]:
    users = [data.user_ids[code] for code in data.user]
    items = [data.item_ids[code] for code in data.item]
    rating = np.zeros(len(data)) if data.rating is None else data.rating
    return list(zip(users, items, data.timestamp.tolist(), rating.tolist(), strict=True))


rows = st.lists(
    st.tuples(
        st.sampled_from("abcde"), st.sampled_from("uvwxyz"), st.integers(0, 6), st.integers(1, 5)
    ).map(lambda row: (*row[:3], float(row[3]))),
    max_size=40,
)


def once(content: list[Row], least: int) -> list[Row]:
    users, items = Counter(row[0] for row in content), Counter(row[1] for row in content)
    return [row for row in content if users[row[0]] >= least and items[row[1]] >= least]


def test_low_ratings_are_dropped_and_the_bound_is_kept():
    content = [("a", "x", 1, 3.9), ("a", "y", 2, 4.0), ("b", "x", 3, 5.0)]
    assert back(drop_low_ratings(table(content), 4.0)) == content[1:]


def test_a_bound_that_float32_rounds_still_keeps_equal_ratings():
    rating = float(np.float32(3.7))
    assert len(drop_low_ratings(table([("a", "x", 1, rating)]), 3.7)) == 1


def test_a_minimum_without_ratings_is_an_error():
    with pytest.raises(UserError, match=r"min_rating = 4, but the data has no ratings"):
        drop_low_ratings(table([("a", "x", 1, 0.0)], rated=False), 4)


@given(rows)
def test_the_first_of_equal_user_item_and_time_stays(content):
    expected = {}
    for row in sorted(content, key=lambda row: row[2]):
        expected.setdefault(row[:3], row)
    assert back(drop_duplicates(table(content))) == list(expected.values())


@given(st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([0.5, 1.0, 2.0])), max_size=20))
def test_places_follow_the_first_column_then_the_next(pairs):
    columns = [np.array([pair[k] for pair in pairs]) for k in (0, 1)]
    expected = [sorted(set(pairs)).index(pair) for pair in pairs]
    assert dense_order(columns).tolist() == expected


@given(rows)
def test_rows_that_differ_in_order_are_no_repetitions(content):
    """The order here is the time backwards, then the rating."""
    keys = [(-row[2], row[3]) for row in content]
    order = [sorted(set(keys)).index(key) for key in keys]
    expected = {}
    for row in sorted(content, key=lambda row: (-row[2], row[3])):
        expected.setdefault(row, row)
    assert back(drop_duplicates(table(content, order=order))) == list(expected.values())
    assert back(drop_duplicates(table(content, order=order, has_timestamps=False))) == list(
        expected.values()
    )


@given(rows)
def test_without_times_nothing_is_a_duplicate(content):
    assert back(drop_duplicates(table(content, has_timestamps=False))) == content


@given(rows, st.integers(1, 5))
def test_once_counts_before_it_drops(content, least):
    assert back(filter_once(table(content), least)) == once(content, least)


def test_once_leaves_what_k_core_goes_on_to_drop():
    # x and y have two each, z one. Without z, user b is left with one interaction.
    content = [("a", "x", 1, 1.0), ("a", "y", 2, 1.0), ("b", "y", 3, 1.0), ("b", "z", 4, 1.0),
               ("c", "x", 5, 1.0), ("c", "w", 6, 1.0)]  # fmt: skip
    assert back(filter_once(table(content), 2)) == [content[k] for k in (0, 1, 2, 4)]
    assert len(filter_k_core(table(content), 2)) == 0


@given(rows, st.integers(1, 4))
def test_k_core_is_the_largest_set_with_enough_of_each(content, least):
    expected = content
    while (smaller := once(expected, least)) != expected:
        expected = smaller
    assert back(filter_k_core(table(content), least)) == expected


@given(rows)
def test_numbers_follow_the_first_appearance_in_time(content):
    content = sorted(content, key=lambda row: row[2])
    data = by_user(numbered(table(content)))
    assert data.user_ids == list(dict.fromkeys(row[0] for row in content))
    assert data.item_ids == list(dict.fromkeys(row[1] for row in content))
    assert back(data) == sorted(content, key=lambda row: data.user_ids.index(row[0]))


def test_numbering_forgets_who_was_dropped():
    content = [("a", "x", 1, 1.0), ("b", "y", 2, 1.0), ("a", "y", 3, 1.0), ("c", "y", 3, 1.0)]
    data = by_user(numbered(table(content).take(np.array([1, 2, 3]))))
    assert (data.user_ids, data.item_ids) == (["b", "a", "c"], ["y"])
    assert data.user.tolist() == [0, 1, 2]
    assert (data.user.dtype, data.item.dtype) == (np.int32, np.int32)


def test_the_summary_by_hand():
    content = [("a", "x", 1, 1.0), ("a", "y", 1, 1.0), ("a", "z", 2, 1.0), ("b", "x", 2, 1.0)]
    summary = summarise(by_user(numbered(table(content))))
    assert summary == {
        "num_users": 2,
        "num_items": 3,
        "num_interactions": 4,
        "density": 4 / 6,
        "sequence_length": {"mean": 2.0, "median": 2.0, "max": 3},
        "equal_time_share": 2 / 4,
    }
    untimed = summarise(by_user(numbered(table(content, has_timestamps=False))))
    assert "equal_time_share" not in untimed
    ordered = summarise(by_user(numbered(table(content, order=[0, 1, 2, 2]))))
    assert ordered["equal_time_share"] == 0
