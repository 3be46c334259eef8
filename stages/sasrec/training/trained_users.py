"""Whom training learns from: users with an item and its next one, and an item that they lack."""

import numpy as np

from sasrec.base.errors import UserError
from sasrec.data.sequences import Sequences
from sasrec.objectives.negatives import users_without_negatives


def choose_users(
    sequences: Sequences, num_items: int, *, negatives: bool
) -> tuple[np.ndarray, dict[str, int]]:
    """The users (int64) to learn from, and how many others there are, by what keeps them out.

    Args:
        negatives: whether the loss needs items that a user lacks.

    Raises:
        UserError: nobody can be learnt from.
    """
    lengths = sequences.lengths
    enough = np.flatnonzero(lengths >= 2)
    complete = np.empty(0, np.int64)
    if negatives:
        complete = np.intersect1d(enough, users_without_negatives(sequences, num_items))
    users = np.setdiff1d(enough, complete)
    counts = {
        "with fewer than two items in training, none of which has a next one": (
            sequences.num_users - len(enough)
        ),
        f"with all {num_items:,} items in training, so that no negative is left": len(complete),
    }
    left_out = {reason: count for reason, count in counts.items() if count}
    if not len(users):
        found = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise UserError(
            f"no user is left to train on (users {found}): bring users with more items, or more "
            "items than one user has"
        )
    return users, left_out
