"""Candidates for sampled ranking: drawn once, so that every model ranks the very same lists."""

import numpy as np

from sasrec.errors import UserError
from sasrec.sequences import Sequences
from sasrec.unseen import unseen_items


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

    Returns: int32 [E, num_candidates], each row ascending.

    Raises:
        UserError: a user leaves fewer than `num_candidates` items.
    """
    candidates = np.empty((len(users), num_candidates), np.int32)
    for start in range(0, len(users), block):
        part = users[start : start + block]
        unseen = unseen_items(sequences, part, num_items)
        if unseen.counts.min() < num_candidates:
            user = int(part[unseen.counts.argmin()])
            raise UserError(
                f"split.num_candidates = {num_candidates}: user {user} leaves only "
                f"{unseen.counts.min()} of {num_items} items; lower split.num_candidates"
            )
        ranks = _distinct(unseen.counts, num_candidates, generator)
        rows = np.arange(len(part))[:, None]
        candidates[start : start + block] = np.sort(unseen.nth(rows, ranks), axis=1)
    return candidates


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
