"""Holding items out of training, as if they were new, and testing on them.

Shapes: N items, C of them cold, E users with a target.
"""

import numpy as np

from sasrec.base.errors import UserError
from sasrec.data.cold import ColdTest, mask_of
from sasrec.data.sequences import Sequences
from sasrec.splitting.candidates import draw_candidates
from sasrec.splitting.cutting import SplitParams

STREAM = 1  # of random numbers: candidates, drawn from the seed alone, stay as they are


def choose_cold_items(num_items: int, params: SplitParams) -> np.ndarray:
    """int32 [C]: a random share of the items, ascending; none if the share is 0.

    Raises:
        UserError: the share is above 0, but of so few items that none is held out.
    """
    count = round(num_items * params.cold_items)
    if params.cold_items and not count:
        raise UserError(
            f"split.cold_items = {params.cold_items} of {num_items:,} items is none: expected a "
            "larger share, or 0.0"
        )
    generator = np.random.default_rng([params.seed, STREAM])
    return np.sort(generator.choice(num_items, count, replace=False) + 1).astype(np.int32)


def cold_test_of(sequences: Sequences, cold_items: np.ndarray, num_items: int) -> ColdTest:
    """Each user's last interaction with a cold item, with all that comes before it.

    Users have a target if they interacted with another item, one that is not cold, before.

    Raises:
        UserError: nobody has a target.
    """
    is_cold = mask_of(cold_items, num_items)[sequences.items]
    places = np.arange(len(is_cold))
    owners = np.repeat(np.arange(sequences.num_users + 1), sequences.lengths)
    last = np.full(sequences.num_users + 1, -1)
    last[owners[is_cold]] = places[is_cold]  # of several, the last one stays
    before = places < last[owners]
    users = np.unique(owners[before & ~is_cold])
    if not len(users):
        raise UserError(
            f"split.cold_items: nobody took one of the {len(cold_items):,} items that are held "
            "out after another item, so there is nothing to test; use another seed or share"
        )
    histories = sequences.where(before & np.isin(owners, users))
    return ColdTest(cold_items, histories, users, sequences.items[last[users]])


def draw_warm_candidates(
    sequences: Sequences,
    users: np.ndarray,
    cold_items: np.ndarray,
    *,
    num_items: int,
    num_candidates: int,
    generator: np.random.Generator,
) -> np.ndarray:
    """`draw_candidates` of the items that are not cold; so are those of `sequences`."""
    warm = np.flatnonzero(~mask_of(cold_items, num_items)).astype(np.int32)  # 0 stays 0
    numbers = np.searchsorted(warm, sequences.items).astype(np.int32)
    drawn = draw_candidates(
        Sequences(sequences.offsets, numbers),
        users,
        num_items=len(warm) - 1,
        num_candidates=num_candidates,
        generator=generator,
    )
    return warm[drawn]
