"""Warnings that the order of equal times is an accident of the file."""

import numpy as np
import pytest
from test_interactions import table

from sasrec.preparing.cleaning import drop_duplicates
from sasrec.preparing.interactions import by_user, numbered, summarise
from sasrec.preparing.ties import Ties, find_ties, tie_notices


def ties(rows, **how):
    """What is found in rows (user, item, time)."""
    source = table([(*row, 1.0) for row in rows], **how)
    data = by_user(numbered(drop_duplicates(source)))
    return find_ties(data, source), summarise(data).get("equal_time_share")


def test_neighbours_of_equal_time_by_hand():
    # a has 9 and 10 (rises, as numbers), then 10 and 7 (falls); b has "x" and 8 (falls, as text);
    # the 7 and 9 of other times, and a's last and b's first, are no neighbours of equal time.
    rows = [("a", "9", 1), ("a", "10", 1), ("a", "7", 1), ("b", "x", 1), ("b", "8", 1),
            ("b", "9", 2)]  # fmt: skip
    assert ties(rows)[0] == Ties(3, 1 / 3, 2 / 3, False)
    assert ties(rows, order=[0, 1, 2, 3, 4, 5])[0].neighbours == 0
    assert ties(rows, has_timestamps=False)[0].neighbours == 4


def test_long_numbers_are_compared_by_value():
    found, _ = ties([("a", "99999999999999999998", 1), ("a", "99999999999999999999", 1),
                     ("a", "100000000000000000000", 1), ("a", "\xb2", 1)])  # fmt: skip
    assert found == Ties(3, 1.0, 0.0, False)


def test_a_file_sorted_by_item_is_noticed():
    rows = [(f"u{user}", f"{item}", 5) for item in range(9, 12) for user in range(15)]
    found, share = ties(rows)
    assert found == Ties(30, 1.0, 0.0, True)
    assert tie_notices(found, share, can_name=True) == [
        "100.0% of interactions have the same time as another one of their user; these keep the "
        "file's order, which may mean nothing; name a column that orders them in "
        "data.columns.order",
        "where times are equal the file's order stands, and it follows the item's id (of 30 "
        "neighbours there 100.0% rise): a model can learn that, and metrics come out too high; "
        "name a column that orders them in data.columns.order",
    ]
    random = [rows[k] for k in np.random.default_rng(3).permutation(len(rows))]
    found, share = ties(random)
    assert len(tie_notices(found, share, can_name=True)) == 1
    found, share = ties(rows, has_timestamps=False)
    assert share is None
    [notice] = tie_notices(found, share, can_name=True)
    assert notice.startswith("without times the file's order stands, and it follows the item's id")


@pytest.mark.parametrize(
    ("found", "share", "expected"),
    [
        (Ties(20, 0.9, 0.1, False), 0.1, "of 20 neighbours there 90.0% rise"),
        (Ties(20, 0.1, 0.9, False), 0.1, "of 20 neighbours there 90.0% fall"),
        (Ties(20, 0.5, 0.5, True), 0.1, "and the file is grouped by item: a model"),
        (Ties(20, 0.5, 0.5, False), 0.51, "51.0% of interactions have the same time"),
        (Ties(19, 1.0, 0.0, True), 0.5, None),
        (Ties(1000, 0.89, 0.11, False), 0.5, None),
    ],
)
def test_when_something_is_said(found, share, expected):
    notices = tie_notices(found, share, can_name=False)
    assert len(notices) == (expected is not None)
    if expected:
        assert expected in notices[0]
        assert "data.columns.order" not in notices[0]


@pytest.mark.parametrize(
    ("items", "grouped"),
    [("aabbcc", True), ("aabbac", False), ("abc", False), ("abcc", False), ("aabc", False),
     ("aa", True), ("abab", False)],
)  # fmt: skip
def test_grouped_means_that_each_items_rows_stand_together(items, grouped):
    rows = [(f"u{n}", item, n) for n, item in enumerate(items)]
    assert ties(rows)[0].file_grouped_by_item == grouped
