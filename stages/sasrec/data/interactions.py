"""data/interactions/: every interaction, put in order and numbered; written and read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.base.files import read_npy, write_npy
from sasrec.data.facts import DatasetFacts, read_dataset_facts, write_facts
from sasrec.data.sequences import NAMES, Sequences, check_items, columns_of

STAGE = "preprocess"  # which writes it
# A file each, `[interactions]`, sorted by user then time. Users and items are ids from 1; without
# times `timestamp` is the row's number in the source, without ratings `rating` is NaN.
COLUMNS = {"user": np.int32, "item": np.int32, "rating": np.float32, "timestamp": np.int64}


@dataclass(frozen=True)
class NumberedInteractions:
    """All interactions, sorted by user, then time.

    Attributes:
        facts: dataset.json.
        sequences: each user's items, with the columns that the source has.
    """

    facts: DatasetFacts
    sequences: Sequences


def write_interactions(
    folder: Path,
    facts: DatasetFacts,
    *,
    user: np.ndarray,
    item: np.ndarray,
    timestamp: np.ndarray,
    rating: np.ndarray | None,
) -> None:
    """Write dataset.json and the columns, each as .npy of its dtype in COLUMNS."""
    if rating is None:
        rating = np.full(len(user), np.nan, np.float32)
    columns = {"user": user, "item": item, "rating": rating, "timestamp": timestamp}
    for name, dtype in COLUMNS.items():
        write_npy(folder / f"{name}.npy", columns[name].astype(dtype, copy=False))
    write_facts(folder, facts)


def read_column(folder: Path, name: str) -> np.ndarray:
    """One column as it stands there, memory-mapped.

    Raises:
        UserError: it is missing, or is no column of its dtype.
    """
    return read_npy(folder / f"{name}.npy", COLUMNS[name], ndim=1, stage=STAGE)


def read_interactions(folder: Path) -> NumberedInteractions:
    """Read and check what preprocess wrote.

    Raises:
        UserError: a file is missing, or the columns do not fit each other or dataset.json.
    """
    facts = read_dataset_facts(folder, STAGE)
    users, items = (read_column(folder, name) for name in ("user", "item"))
    columns = {name: read_column(folder, name) for name in columns_of(facts)}
    counts = {"users": len(users), "items": len(items)}
    counts |= {NAMES[name]: len(column) for name, column in columns.items()}
    if len(set(counts.values())) > 1 or not len(items):
        found = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise UserError(f"{folder}: {found}: expected as many of each, at least one")
    if users[0] < 1 or users[-1] != facts.num_users or (users[1:] < users[:-1]).any():
        raise UserError(f"{folder}/user.npy: expected users from 1 to {facts.num_users}, ascending")
    check_items(items, facts.num_items, folder / "item.npy")
    sequences = Sequences.from_interactions(users, items, facts.num_users, columns)
    return NumberedInteractions(facts, sequences)
