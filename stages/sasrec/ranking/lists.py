"""Metrics of the lists of best items, which no single target decides: what a system recommends.

Shapes: E users with a list, k its length (TOP_K, or N if that is less), N items, G genres.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.data.unseen import known_pairs

TOP_K = 10  # the length of the lists


@dataclass(frozen=True)
class Lists:
    """The lists, and what their metrics look at.

    Attributes:
        users: int [E], whose they are.
        top: int64 [E, k], items, best first; 0 where a list ends early.
        histories: those that the lists come after; E users or more.
        num_items: N.
        features: of the items, None where none are known.
    """

    users: np.ndarray
    top: np.ndarray
    histories: Sequences
    num_items: int
    features: ItemFeatures | None = None

    @cached_property
    def listed(self) -> np.ndarray:
        """The items of all lists, int64."""
        return self.top[self.top > 0]

    @cached_property
    def interactions(self) -> np.ndarray:
        """int64 [N + 1]: how often each item was interacted with in the histories."""
        return np.bincount(self.histories.items, minlength=self.num_items + 1)


class ListMetric(NamedTuple):
    """A row of LISTS.

    Attributes:
        value: the metric, from lists of which one item or more is listed.
        needs: what must not be None in `Lists`; else the metric is left out.
    """

    value: Callable[[Lists], float]
    needs: tuple[str, ...] = ()


def coverage(lists: Lists) -> float:
    """The share of the catalogue that stands in some list."""
    return len(np.unique(lists.listed)) / lists.num_items


def popularity(lists: Lists) -> float:
    """How often a listed item was interacted with in the histories, on average."""
    return float(lists.interactions[lists.listed].mean())


def novelty(lists: Lists) -> float:
    """-log2 of the share of users who interacted with a listed item, on average: bits.

    Of the users that have a history (Vargas & Castells 2011). An item that none of them knows
    counts as if one did.
    """
    histories = lists.histories
    _, items = known_pairs(histories, np.arange(histories.num_users + 1), lists.num_items)
    known_by = np.bincount(items, minlength=lists.num_items + 1)
    share = np.maximum(known_by, 1) / (histories.lengths > 0).sum()
    return float(-np.log2(share[lists.listed]).mean())


def popularity_lift(lists: Lists) -> float:
    """How much more popular lists are than the histories that they come after.

    (q - p) / p, where p is the mean popularity of a user's history, q that of the user's list,
    each averaged over users (Abdollahpouri et al. 2020, the group being all users). 0 is as
    popular as what users took by themselves, 1 is twice as popular.
    """
    counts = (lists.top > 0).sum(1)
    whose = counts > 0
    users, counts = lists.users[whose], counts[whose]
    q = (lists.interactions[lists.top[whose]].sum(1) / counts).mean()  # item 0 has none
    histories = lists.histories
    running = np.concatenate([[0], np.cumsum(lists.interactions[histories.items])])
    sums = running[histories.offsets[users + 1]] - running[histories.offsets[users]]
    p = (sums / histories.lengths[users]).mean()
    return float(q / p - 1)


def diversity(lists: Lists, block: int = 4096) -> float:
    """How unlike the items of a list are by genre (Ziegler et al. 2005): mean over users.

    The mean over pairs of 1 - the Jaccard index of their sets of genres. Items without a genre are
    left out, and so are lists with fewer than two others; 0 if that leaves none.
    """
    features = lists.features
    assert features is not None
    has = np.zeros((lists.num_items + 1, len(features.names)), np.float32)
    has[np.repeat(np.arange(len(has)), np.diff(features.offsets)), features.genres] = 1
    values = []
    for start in range(0, len(lists.top), block):
        genres = has[lists.top[start : start + block]]  # [block, k, G]
        sizes = genres.sum(2)
        common = genres @ genres.transpose(0, 2, 1)
        union = sizes[:, :, None] + sizes[:, None, :] - common
        pairs = np.triu((sizes[:, :, None] > 0) & (sizes[:, None, :] > 0), 1)
        unlike = np.where(pairs, 1 - common / np.maximum(union, 1), 0).sum((1, 2), np.float64)
        number = pairs.sum((1, 2))
        values.append(unlike[number > 0] / number[number > 0])
    every = np.concatenate(values)
    return float(every.mean()) if len(every) else 0.0


# A row here is a metric of `full` in metrics/test_details.json, as `coverage@10`.
LISTS: dict[str, ListMetric] = {
    "coverage": ListMetric(coverage),
    "popularity": ListMetric(popularity),
    "novelty": ListMetric(novelty),
    "popularity_lift": ListMetric(popularity_lift),
    "diversity": ListMetric(diversity, needs=("features",)),
}


def describe_lists(lists: Lists) -> dict[str, float]:
    """Each of LISTS that has what it needs, as `coverage@10`; 0 where nothing is listed."""
    return {
        f"{name}@{TOP_K}": row.value(lists) if len(lists.listed) else 0.0
        for name, row in LISTS.items()
        if all(getattr(lists, need) is not None for need in row.needs)
    }
