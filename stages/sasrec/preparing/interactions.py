"""Interactions in memory: order in time, contiguous ids, and counts of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

CHUNK = 1 << 22  # rows


@dataclass(frozen=True)
class Interactions:
    """N interactions, one a row. A code counts from 0; on disk the id is the code + 1.

    Attributes:
        user: int32 `[N]`, codes into `user_ids`.
        item: int32 `[N]`, codes into `item_ids`.
        timestamp: int64 `[N]`, since 1970 in `time_unit`; the row's number in the source, from
            1, where the source has no times.
        rating: float32 `[N]`, or None where the source has no ratings.
        time_unit: s, ms, us or ns; None where `timestamp` holds no times.
        order: int64 `[N]`, the place of each row by time, then by the columns of
            data.columns.order, equal for equals; None where the source has no such columns.
        user_ids, item_ids: the source's id, as text, of each code.
    """

    user: np.ndarray
    item: np.ndarray
    timestamp: np.ndarray
    rating: np.ndarray | None
    time_unit: str | None
    order: np.ndarray | None
    user_ids: list[str]
    item_ids: list[str]

    def __len__(self) -> int:
        return len(self.user)

    @property
    def has_timestamps(self) -> bool:
        """Whether `timestamp` holds times."""
        return self.time_unit is not None

    @property
    def moment(self) -> np.ndarray | None:
        """What puts rows in order, int64 `[N]`; None where only the file's order does."""
        if self.order is not None:
            return self.order
        return self.timestamp if self.has_timestamps else None

    def take(self, rows: np.ndarray) -> Self:
        """The rows that a mask or an index array selects; codes keep their meaning."""
        rating = None if self.rating is None else self.rating[rows]
        order = None if self.order is None else self.order[rows]
        user, item, timestamp = self.user[rows], self.item[rows], self.timestamp[rows]
        return replace(self, user=user, item=item, timestamp=timestamp, rating=rating, order=order)


def row_numbers(size: int) -> np.ndarray:
    """What stands for the times, int64 `[size]`, where the file's order is the time order."""
    return np.arange(1, size + 1, dtype=np.int64)


def dense_order(columns: Sequence[np.ndarray]) -> np.ndarray:
    """The place of each row by the first column, then the next ones; equal rows share one."""
    rows = np.lexsort(columns[::-1])
    differs = np.zeros(len(rows), dtype=bool)
    for column in columns:
        differs[1:] |= column[rows[1:]] != column[rows[:-1]]
    places = np.empty(len(rows), dtype=np.int64)
    places[rows] = np.cumsum(differs)
    return places


def by_user(data: Interactions) -> Interactions:
    """The rows by user, then as they were."""
    return data.take(np.argsort(data.user, kind="stable"))


def numbered(data: Interactions) -> Interactions:
    """Contiguous codes by first appearance."""
    user, user_ids = _by_appearance(data.user, data.user_ids)
    item, item_ids = _by_appearance(data.item, data.item_ids)
    return replace(data, user=user, item=item, user_ids=user_ids, item_ids=item_ids)


def _by_appearance(codes: np.ndarray, labels: list[str]) -> tuple[np.ndarray, list[str]]:
    size = len(codes)
    first = np.full(len(labels), size)
    for start in range(0, size, CHUNK):  # in parts, since row numbers take twice a code's memory
        part = codes[start : start + CHUNK]
        np.minimum.at(first, part, np.arange(start, start + len(part)))
    order = np.argsort(first)[: np.count_nonzero(first < size)]
    rank = np.full(len(labels), -1, dtype=np.int32)
    rank[order] = np.arange(len(order))
    return rank[codes], [labels[code] for code in order]


def describe(data: Interactions) -> dict[str, Any]:
    """The sizes of numbered data, whether it has ratings and times, and what times count."""
    return {
        "num_users": len(data.user_ids),
        "num_items": len(data.item_ids),
        "num_interactions": len(data),
        "has_ratings": data.rating is not None,
        "has_timestamps": data.has_timestamps,
        "time_unit": data.time_unit,
    }


def ties(data: Interactions) -> np.ndarray:
    """Which rows of numbered data have the next row's user and moment; bool `[N - 1]`.

    Without times and order numbers all rows of a user are tied: only the file orders them.
    """
    tied = data.user[1:] == data.user[:-1]
    moment = data.moment
    return tied if moment is None else tied & (moment[1:] == moment[:-1])


def summarise(data: Interactions) -> dict[str, Any]:
    """Counts of numbered data: sizes, density, sequence lengths, share of equal times.

    `equal_time_share` is the share of interactions that have the same time (and order numbers)
    as another one of the same user, whose order is therefore the source's; it is left out where
    there is neither.
    """
    num_users, num_items = len(data.user_ids), len(data.item_ids)
    lengths = np.bincount(data.user, minlength=num_users)
    summary: dict[str, Any] = {
        "num_users": num_users,
        "num_items": num_items,
        "num_interactions": len(data),
        "density": len(data) / (num_users * num_items),
        "sequence_length": {
            "mean": float(lengths.mean()),
            "median": float(np.median(lengths)),
            "max": int(lengths.max()),
        },
    }
    if data.moment is not None:
        equal = ties(data)
        either = np.append(equal, False) | np.append(False, equal)
        summary["equal_time_share"] = float(either.mean())
    return summary
