"""Candidates for sampled ranking: drawn once, so that every model ranks the very same lists."""

import numpy as np

from sasrec.base.errors import UserError
from sasrec.data.sequences import Sequences
from sasrec.data.unseen import unseen_items


def draw_candidates(
    sequences: Sequences,
    users: np.ndarray,
    *,
    num_items: int,
    num_candidates: int,
    generator: np.random.Generator,
    block: int = 4096,
) -> np.ndarray:
    """Distinct items that each user never interacted with, uniform over all such items.

    The paper draws 100 (section IV-C). The authors' code only keeps out training items and may
    draw an item twice; here all of a user's items are kept out and no list repeats one.

    Args:
        sequences: all interactions, those of validation and test included.
        users: int64 [E].

    Returns: int32 [E, num_candidates], each row ascending; zeros for a user who leaves fewer
        items than that, and so has no place in sampled ranking.

    Raises:
        UserError: that is so for more than half of the users.
    """
    counts, drawn = [], []
    for start in range(0, len(users), block):
        unseen = unseen_items(sequences, users[start : start + block], num_items)
        counts.append(unseen.counts)
        rows = np.flatnonzero(unseen.counts >= num_candidates)
        if len(rows):
            ranks = _distinct(unseen.counts[rows], num_candidates, generator)
            items = np.sort(unseen.nth(rows[:, None], ranks), axis=1)
            drawn.append((start + rows, items.astype(np.int32)))
    unseen_counts = np.concatenate(counts)
    if (unseen_counts >= num_candidates).sum() < len(users) / 2:
        raise UserError(_too_many(num_candidates, unseen_counts, num_items))
    # Only now: so many candidates may be asked for that there is no room for them.
    candidates = np.zeros((len(users), num_candidates), np.int32)
    for places, items in drawn:
        candidates[places] = items
    return candidates


def _too_many(num_candidates: int, unseen_counts: np.ndarray, num_items: int) -> str:
    fewer = int((unseen_counts < num_candidates).sum())
    text = (
        f"split.num_candidates = {num_candidates}: {fewer:,} of {len(unseen_counts):,} users leave "
        f"fewer of the {num_items:,} items than that"
    )
    # The largest number that half of the users can be given.
    possible = int(np.sort(unseen_counts)[len(unseen_counts) // 2])
    if possible:
        return f"{text}; with {possible} or fewer at least half of them can be ranked"
    return f"{text}: most users interacted with every item, so there is nothing to rank against"


def _distinct(counts: np.ndarray, size: int, generator: np.random.Generator) -> np.ndarray:
    """`size` distinct integers in [0, counts) a row: int64 [R, size] (Floyd's algorithm).

    Column i draws t from 0..counts - size + i, and takes the upper end instead if t is taken.
    """
    chosen = np.full((len(counts), size), -1, np.int64)
    for column in range(size):
        top = counts - size + column
        drawn = generator.integers(0, top + 1)
        taken = (chosen[:, :column] == drawn[:, None]).any(1)
        chosen[:, column] = np.where(taken, top, drawn)
    return chosen
