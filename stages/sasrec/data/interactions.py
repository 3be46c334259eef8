"""Reading data/interactions/, the interactions that preprocess ordered and numbered."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.base.files import read_npy
from sasrec.data.facts import DatasetFacts, read_dataset_facts
from sasrec.data.sequences import Sequences, check_items

STAGE = "preprocess"  # which writes it


@dataclass(frozen=True)
class NumberedData:
    """All interactions, sorted by user, then time.

    Attributes:
        facts: dataset.json.
        sequences: each user's items.
        timestamps: int64 [interactions], in `time_unit`; None if the source has no times.
    """

    facts: DatasetFacts
    sequences: Sequences
    timestamps: np.ndarray | None


def read_numbered(folder: Path) -> NumberedData:
    """Read and check what preprocess wrote.

    Raises:
        UserError: a file is missing, or the columns do not fit each other or dataset.json.
    """
    facts = read_dataset_facts(folder, STAGE)
    users, items, timestamps = (
        read_npy(folder / f"{name}.npy", dtype, ndim=1, stage=STAGE)
        for name, dtype in (("user", np.int32), ("item", np.int32), ("timestamp", np.int64))
    )
    if not (len(users) == len(items) == len(timestamps) > 0):
        raise UserError(
            f"{folder}: {len(users)} users, {len(items)} items and {len(timestamps)} time stamps: "
            "expected as many of each, at least one"
        )
    if users[0] < 1 or users[-1] != facts.num_users or (users[1:] < users[:-1]).any():
        raise UserError(f"{folder}/user.npy: expected users from 1 to {facts.num_users}, ascending")
    check_items(items, facts.num_items, folder / "item.npy")
    sequences = Sequences.from_interactions(users, items, facts.num_users)
    return NumberedData(facts, sequences, timestamps if facts.has_timestamps else None)
