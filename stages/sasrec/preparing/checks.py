"""Data that may not be what it seems: one number each, and a sentence where it is too high.

A check is a row of CHECKS. Its number stands in metrics/data.json, whether it is too high or not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from sasrec.data.targets import MANY_UNSEEN
from sasrec.preparing.interactions import Interactions
from sasrec.preparing.time_range import PER_SECOND

FEWEST = 20  # interactions; shares of fewer say nothing
# How many times the equal share a user or an item may have: with 10 users that is half.
FAIR = 5
EARLY = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())  # before it nobody recorded clicks


class Sizes(NamedTuple):
    """How many of each the data has."""

    users: int
    items: int
    interactions: int


@dataclass(frozen=True)
class Evidence:
    """What the checks look at.

    Attributes:
        data: as it will be written: cleaned, numbered, sorted by user then time.
        read: how many interactions were read.
        dropped: how many of these were dropped, by the reason.
    """

    data: Interactions
    read: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        measure: its number, None where the data has nothing to measure.
        limit: above it the sentence is said.
        sentence: with {value} and {most}, the most frequent raw id where the check is of one.
        ids: whose raw id {most} is: user, item, or nobody's.
    """

    measure: Callable[[Evidence], float | None]
    limit: Callable[[Sizes], float]
    sentence: str
    ids: str = ""

    def is_too_high(self, number: float, sizes: Sizes) -> bool:
        """Whether the sentence is said; of few interactions only where the limit is 0."""
        limit = self.limit(sizes)
        return number > limit and (limit == 0 or sizes.interactions >= FEWEST)


def run_checks(evidence: Evidence) -> tuple[dict[str, float], list[str]]:
    """The number of each check that applies, by its name, and the sentences to say."""
    data = evidence.data
    measured = {name: check.measure(evidence) for name, check in CHECKS.items()}
    numbers = {name: number for name, number in measured.items() if number is not None}
    sizes = Sizes(len(data.user_ids), len(data.item_ids), len(data))
    return numbers, sentences_on(numbers, sizes, lambda ids: _most_frequent(data, ids))


def sentences_on(
    numbers: Mapping[str, float], sizes: Sizes, most: Callable[[str], str]
) -> list[str]:
    """The sentence of each check whose number is too high.

    Args:
        numbers: by the names of checks.
        most: the most frequent raw id, in words, of "user" or "item".
    """
    return [
        check.sentence.format(value=numbers[name], most=most(check.ids) if check.ids else "")
        for name, check in CHECKS.items()
        if name in numbers and check.is_too_high(numbers[name], sizes)
    ]


def _most_frequent(data: Interactions, ids: str) -> str:
    code = int(np.argmax(np.bincount(getattr(data, ids))))
    return repr(getattr(data, f"{ids}_ids")[code][:60])


def _same_time(found: Evidence) -> float | None:
    """1 where all times are equal, else 0."""
    data = found.data
    if not data.has_timestamps or len(data) < 2:
        return None
    return float(data.timestamp.min() == data.timestamp.max())


def _early_times(found: Evidence) -> float | None:
    """The share of interactions before 1990."""
    data = found.data
    if data.time_unit is None:
        return None
    early = np.count_nonzero(data.timestamp < EARLY * PER_SECOND[data.time_unit])
    return int(early) / len(data)


def _largest_user(found: Evidence) -> float:
    return int(np.bincount(found.data.user).max()) / len(found.data)


def _largest_item(found: Evidence) -> float:
    return int(np.bincount(found.data.item).max()) / len(found.data)


def _duplicates(found: Evidence) -> float:
    return found.dropped["duplicates"] / max(1, found.read)


def _filtered(found: Evidence) -> float:
    return found.dropped["min_interactions"] / max(1, found.read)


def _repeated_in_a_row(found: Evidence) -> float | None:
    """Of interactions that are not a user's first, those with the item of the one before."""
    user, item = found.data.user, found.data.item
    same_user = user[1:] == user[:-1]
    count = int(np.count_nonzero(same_user))
    if count == 0:
        return None
    return int(np.count_nonzero(same_user & (item[1:] == item[:-1]))) / count


def _short_histories(found: Evidence) -> float:
    """The share of users with fewer than 3 interactions."""
    lengths = np.bincount(found.data.user)
    return int(np.count_nonzero(lengths < 3)) / len(lengths)


def _unseen_targets(found: Evidence) -> float | None:
    """Of users' last items (of those with 3 or more), those that nobody trains on."""
    data = found.data
    lengths = np.bincount(data.user)
    ends = np.cumsum(lengths)
    tested = lengths >= 3
    if not tested.any():
        return None
    trained = np.bincount(data.item, minlength=len(data.item_ids))
    for back in (1, 2):
        held_out = data.item[ends[tested] - back]
        trained -= np.bincount(held_out, minlength=len(trained))
    return float(np.mean(trained[data.item[ends[tested] - 1]] == 0))


CHECKS: dict[str, Check] = {
    "same_time": Check(
        _same_time,
        lambda sizes: 0,
        "all interactions have the same time, so it orders nothing: is data.columns.timestamp the "
        "right column?",
    ),
    # Any is odd: 1990 is earlier than every log of clicks and later than most wrong units give.
    "before_1990": Check(
        _early_times,
        lambda sizes: 0,
        "{value:.1%} of the interactions are from before 1990: is data.time_unit right?",
    ),
    # The busiest user of MovieLens-1M has 0.2%, of MovieLens-100K 0.7%.
    "largest_user": Check(
        _largest_user,
        lambda sizes: max(0.1, FAIR / sizes.users),
        "the user {most} has {value:.1%} of all interactions: a program, a shared account, or what "
        "stands for unknown users?",
        ids="user",
    ),
    # To name that item always would be right every fourth time.
    "largest_item": Check(
        _largest_item,
        lambda sizes: max(0.25, FAIR / sizes.items),
        "the item {most} has {value:.1%} of all interactions: a placeholder, a bag, a front page? "
        "Metrics will mostly say how often it is the answer",
        ids="item",
    ),
    # Logs repeat a few per cent of their rows; a table joined to another repeats most.
    "duplicates": Check(
        _duplicates,
        lambda sizes: 0.1,
        "{value:.1%} of the rows repeat another one's user, item and time, and were dropped: was "
        "the file joined or exported twice?",
    ),
    # The rest may be a small and odd part of what was meant.
    "filtered": Check(
        _filtered,
        lambda sizes: 0.5,
        "{value:.1%} of the rows were dropped by data.min_interactions and data.filter: what is "
        "left speaks for the busiest users and items only",
    ),
    # A model that names the last item again is right so often.
    "same_item_in_a_row": Check(
        _repeated_in_a_row,
        lambda sizes: 0.2,
        "{value:.1%} of the interactions have the item of the one before (a page reloaded, a song "
        "on repeat?): to name it again is right as often; keep one of a run if that is no choice",
    ),
    # Most users would have nothing to test on.
    "short_histories": Check(
        _short_histories,
        lambda sizes: 0.5,
        "{value:.1%} of the users have fewer than 3 interactions: they only train, and are neither "
        "validated nor tested; raise data.min_interactions, or join more data",
    ),
    "unseen_targets": Check(
        _unseen_targets,
        lambda sizes: MANY_UNSEEN,
        "{value:.1%} of the users' last items are in nobody's training sequence: no model by ids "
        "can find them; raise data.min_interactions, or see train.new_items",
    ),
}
