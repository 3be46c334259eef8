"""Synthetic interactions of any size, with structure that a model can learn.

Items form clusters on a ring. A user starts in a random cluster and, from one interaction to
the next, mostly stays or moves one cluster on: what comes next depends on what came before.
Inside a cluster a few items take most of the interactions, as popularity does.

Only integer draws and IEEE additions and multiplications are used, no logarithm or power,
so a seed gives the same bytes on any machine with the same pyarrow.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ITEMS_PER_CLUSTER = 50
STEPS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 3])  # clusters moved, each equally likely
MIN_LENGTH = 5  # interactions a user, where there are enough
START = 1_577_836_800  # seconds since 1970: 2020-01-01
FIRST_SPAN = 2 * 365 * 86_400  # seconds in which the users' first interactions lie
MAX_GAP = 3 * 86_400  # seconds between two interactions of a user
LAST_SPAN = 40 * 365 * 86_400  # seconds in which even the longest history ends
CHUNK = 1 << 20  # interactions in memory at once (at least one user)

SCHEMA = pa.schema([("user", pa.int32()), ("item", pa.int32()), ("timestamp", pa.int64())])


def write_synthetic(
    path: Path, num_users: int, num_items: int, num_interactions: int, seed: int
) -> None:
    """Write `num_interactions` rows `user item timestamp` as Parquet, grouped by user.

    Users are 1..`num_users`, each with at least one row; items lie in 1..`num_items`, and an
    unpopular one may never occur; timestamps are seconds and grow inside a user.
    """
    assert num_interactions >= num_users >= 1
    rng = np.random.default_rng(seed)
    lengths = _lengths(rng, num_users, num_interactions)
    max_gap = min(MAX_GAP, max(1, LAST_SPAN // int(lengths.max())))
    with pq.ParquetWriter(path, SCHEMA) as writer:
        for first, last in _chunks(lengths):
            some = lengths[first:last]
            user, item = _walks(rng, some, num_items)
            timestamp = _timestamps(rng, some, max_gap)
            columns = [user + np.int32(first + 1), item, timestamp]
            writer.write_table(pa.table(columns, schema=SCHEMA))


def _lengths(rng: np.random.Generator, num_users: int, num_interactions: int) -> np.ndarray:
    """Interactions of each user, int64 `[num_users]`: skewed, with the exact sum."""
    shortest = min(MIN_LENGTH, num_interactions // num_users)
    spare = num_interactions - shortest * num_users
    draw = rng.random(num_users)
    weight = np.cumsum(draw * draw * draw * draw + 1e-3)
    bounds = np.floor(weight / weight[-1] * spare).astype(np.int64)
    return shortest + np.diff(bounds, prepend=0)


def _chunks(lengths: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of users that hold about CHUNK interactions each."""
    ends = np.cumsum(lengths)
    first = 0
    while first < len(lengths):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + CHUNK, side="right")))
        yield first, last
        first = last


def _walks(
    rng: np.random.Generator, lengths: np.ndarray, num_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """User (counted from 0) and item of every interaction of some users, both int32."""
    total = int(lengths.sum())
    user = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)

    num_clusters = max(1, num_items // ITEMS_PER_CLUSTER)
    moves = STEPS[rng.integers(0, len(STEPS), total)]
    start = rng.integers(0, num_clusters, len(lengths))
    cluster = _cumulative(moves, lengths, start) % num_clusters

    size = (num_items - 1 - cluster) // num_clusters + 1  # items c, c + C, c + 2C, …
    draw = rng.random(total)
    rank = (draw * draw * draw * size).astype(np.int64)  # low ranks are the popular items
    return user, (cluster + num_clusters * rank + 1).astype(np.int32)


def _timestamps(rng: np.random.Generator, lengths: np.ndarray, max_gap: int) -> np.ndarray:
    """Growing times in seconds since 1970, int64, of every interaction of some users."""
    begin = START + rng.integers(0, FIRST_SPAN, len(lengths))
    gap = rng.integers(1, max_gap + 1, int(lengths.sum()))
    return _cumulative(gap, lengths, begin)


def _cumulative(steps: np.ndarray, lengths: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Running sums of `steps` inside each user, from the user's `start`."""
    sums = np.cumsum(steps)
    before = np.concatenate(([0], sums))[np.cumsum(lengths) - lengths]
    return sums + np.repeat(start - before, lengths)
