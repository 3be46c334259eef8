"""Each check: its number, worked out by hand, and its sentence where the number is too high."""

import numpy as np
import pytest

from sasrec.preparing.checks import CHECKS, Evidence, run_checks
from sasrec.preparing.interactions import Interactions, by_user, numbered

YEAR = 365 * 86_400


def data(pairs, times=None, unit="s"):
    """Interactions (user, item) in their order, at `times`; None for without times."""
    users, items = (list(dict.fromkeys(pair[k] for pair in pairs)) for k in (0, 1))
    when = np.arange(1, len(pairs) + 1) if times is None else np.array(times)
    return by_user(
        numbered(
            Interactions(
                user=np.array([users.index(pair[0]) for pair in pairs], np.int32),
                item=np.array([items.index(pair[1]) for pair in pairs], np.int32),
                timestamp=when.astype(np.int64),
                rating=None,
                time_unit=None if times is None else unit,
                order=None,
                user_ids=users,
                item_ids=items,
            )
        )
    )


def checked(found, read=None, **dropped):
    none = {"duplicates": 0, "min_interactions": 0}
    return run_checks(Evidence(found, read or len(found), none | dropped))


# 23 users in turns take the items of a circle of 29, seven each: nothing is odd.
FINE = [(f"u{n % 23}", f"i{(n // 23 * 3 + n % 23) % 29}") for n in range(161)]
FINE_TIMES = [30 * YEAR + 60 * n for n in range(161)]


def test_of_good_data_nothing_is_said():
    numbers, said = checked(data(FINE, FINE_TIMES))
    assert said == []
    assert list(numbers) == list(CHECKS)
    assert numbers["largest_user"] == 7 / 161
    assert numbers["same_time"] == numbers["before_1990"] == numbers["unseen_targets"] == 0


BOT = [("bot", f"i{n % 29}") for n in range(161)]
ODD = {
    "same_time": (data(FINE, [30 * YEAR] * 161), {}, 1, "all interactions have the same time"),
    "before_1990": (
        data(FINE, [5 * YEAR * 1000] * 23 + [30 * YEAR * 1000 + n for n in range(138)], "ms"), {},
        23 / 161, "14.3% of the interactions are from before 1990: is data.time_unit right?",
    ),
    "largest_user": (
        data(FINE + BOT), {}, 1 / 2, "the user 'bot' has 50.0% of all interactions: a program,"),
    "largest_item": (
        data([pair for one in FINE for pair in (one, (one[0], "bag"))]), {}, 1 / 2,
        "the item 'bag' has 50.0% of all interactions",
    ),
    "duplicates": (
        data(FINE), {"read": 644, "duplicates": 322}, 1 / 2, "50.0% of the rows repeat another"),
    "filtered": (
        data(FINE), {"read": 644, "min_interactions": 483}, 3 / 4,
        "75.0% of the rows were dropped by data.min_interactions",
    ),
    "same_item_in_a_row": (
        # Each user's seven items twice: 14 interactions, 13 neighbours, 7 of them equal.
        data([pair for pair in FINE for _ in (1, 2)]), {}, 7 / 13,
        "53.8% of the interactions have the item of the one before",
    ),
    "short_histories": (
        data(FINE + [(f"new{n}", f"i{n}") for n in range(25)]), {}, 25 / 48,
        "52.1% of the users have fewer than 3 interactions",
    ),
    "unseen_targets": (
        # Three of 23 users end with an item of their own.
        data(FINE + [(f"u{n}", f"own{n}") for n in range(3)]), {}, 3 / 23,
        "13.0% of the users' last items are in nobody's training sequence",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_odd_is_said(name):
    found, more, expected, sentence = ODD[name]
    numbers, said = checked(found, **more)
    assert numbers[name] == pytest.approx(expected)
    (one,) = [text for text in said if text.startswith(sentence)]
    assert one.isprintable()


def test_shares_of_very_few_are_not_judged():
    numbers, said = checked(data([("a", "x"), ("a", "x"), ("b", "y")]))
    assert numbers["short_histories"] == 1
    assert said == []
