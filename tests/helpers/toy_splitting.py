"""How toy data is cut, and what it looks like as lists."""

from sasrec.splitting.cutting import SplitParams

LEAVE_ONE_OUT = SplitParams(
    strategy="leave_one_out",
    valid_fraction=0.25,
    test_fraction=0.25,
    num_candidates=3,
    cold_items=0.0,
    seed=1,
)


def lists(sequences):
    """The items of users 1, 2, ..."""
    return [sequences.of(user).tolist() for user in range(1, sequences.num_users + 1)]
