"""Which items lie outside a user's history, and the r-th of them, without rejection.

Of N items a user knows m; the r-th of the N - m others, r from 0, is

    r + 1 + |{j : h_j - 1 - j <= r}|        with the known items h_0 < h_1 < ... < h_{m-1},

since h_j - 1 - j of the others come before h_j. The keys h_j - 1 - j of several users, each
user's shifted by a multiple of N, are one sorted array: many look-ups are one binary search.
Unlike drawing again until it fits, this ends for users who know nearly everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sasrec.data.sequences import Sequences


@dataclass(frozen=True)
class UnseenItems:
    """For R rows (users), what is outside each row's history: numpy arrays, or tensors of torch.

    Attributes:
        num_items: N.
        keys: int64 [sum of m], sorted: row * N + h_j - 1 - j.
        starts: int64 [R], where each row's keys begin.
        counts: int64 [R], N - m, the number of items outside the history.
        not_above: of sorted keys and some values, how many keys are not above each: the one step
            that numpy and torch call by other names.
    """

    num_items: int
    keys: Any
    starts: Any
    counts: Any
    not_above: Callable[[Any, Any], Any]

    def nth(self, rows: Any, rank: Any) -> Any:
        """The item ids at `rank` (int64, 0 <= rank < counts[row]) among each row's unseen items.

        `rows` and `rank` may be of any shapes that broadcast; so is the result, int64.
        """
        below = self.not_above(self.keys, rows * self.num_items + rank)
        return rank + 1 + below - self.starts[rows]


def known_pairs(
    sequences: Sequences, users: np.ndarray, num_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each of `users` (int64 [R]) with each item that it knows: rows, items, int64, sorted."""
    lengths = sequences.lengths[users]
    rows = np.repeat(np.arange(len(users)), lengths)
    ends = np.cumsum(lengths)
    slots = np.arange(len(rows)) + np.repeat(sequences.offsets[users] - (ends - lengths), lengths)
    known = np.unique(rows * (num_items + 1) + sequences.items[slots])
    return np.divmod(known, num_items + 1)


def unseen_items(sequences: Sequences, users: np.ndarray, num_items: int) -> UnseenItems:
    """What lies outside the history of each of `users` (int64 [R]), a row each, in numpy."""
    rows, items = known_pairs(sequences, users, num_items)
    seen = np.bincount(rows, minlength=len(users))
    starts = np.cumsum(seen) - seen
    keys = rows * num_items + items - 1 - (np.arange(len(rows)) - starts[rows])
    not_above = partial(np.searchsorted, side="right")
    return UnseenItems(num_items, keys, starts, num_items - seen, not_above)
