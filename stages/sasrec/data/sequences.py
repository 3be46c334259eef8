"""Item sequences of users as arrays that memory-map: where each begins, items, other columns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.base.files import read_npy, write_npy
from sasrec.data.facts import DatasetFacts, read_split_facts

# What may be known of an interaction beside its item. A rating that is not known is NaN; times are
# in the dataset's unit.
COLUMNS = {"rating": np.float32, "timestamp": np.int64}
NAMES = {"rating": "ratings", "timestamp": "time stamps"}  # in sentences
STAGE = "split"  # which writes such files
AGAIN = f"run `python stages/{STAGE}.py` again"


@dataclass(frozen=True)
class Sequences:
    """The items of users 1 to U, each in chronological order (compressed sparse rows).

    User u's items are `items[offsets[u]:offsets[u + 1]]`; user 0 does not exist and is empty,
    so that ids index directly.

    Attributes:
        offsets: int64, shape [U + 2], from 0, never falling, the last one is len(items).
        items: int32, shape [number of interactions], item ids from 1.
        columns: of the shape of `items`, by the names of COLUMNS; those that the data has.
    """

    offsets: np.ndarray
    items: np.ndarray
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def num_users(self) -> int:
        return len(self.offsets) - 2

    @property
    def lengths(self) -> np.ndarray:
        """int64, shape [U + 1]: the number of items of each user, users from 0 (always 0)."""
        return np.diff(self.offsets)

    def of(self, user: int) -> np.ndarray:
        """The items of one user, int32, oldest first."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def hold(self, users: np.ndarray, items: np.ndarray, block: int = 4096) -> np.ndarray:
        """Whether the items of each of `users` [E] hold the one of `items` [E]: bool [E]."""
        found = np.zeros(len(users), np.bool)
        for start in range(0, len(users), block):
            stop = min(start + block, len(users))
            histories = [self.of(user) for user in users[start:stop]]
            rows = np.repeat(np.arange(start, stop), [len(history) for history in histories])
            found[rows[np.concatenate(histories) == items[rows]]] = True
        return found

    def where(self, kept: np.ndarray) -> "Sequences":
        """The same users, and of their interactions those that `kept` (bool, as `items`) names."""
        before = np.concatenate([[0], np.cumsum(kept)])
        columns = {name: column[kept] for name, column in self.columns.items()}
        return type(self)(before[self.offsets], self.items[kept], columns)

    @classmethod
    def from_interactions(
        cls,
        users: np.ndarray,
        items: np.ndarray,
        num_users: int,
        columns: Mapping[str, np.ndarray] | None = None,
    ) -> "Sequences":
        """Group `items` by `users`, both of shape [interactions], users sorted, ids from 1."""
        assert len(users) == len(items)
        counts = np.bincount(users, minlength=num_users + 1)
        offsets = np.zeros(num_users + 2, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return cls(offsets, np.asarray(items, np.int32), columns or {})

    def save(self, folder: Path) -> None:
        """Write offsets.npy, items.npy and a file of each column into `folder`."""
        write_npy(folder / "offsets.npy", self.offsets.astype(np.int64, copy=False))
        write_npy(folder / "items.npy", self.items.astype(np.int32, copy=False))
        for name, column in self.columns.items():
            write_npy(column_path(folder, name), column.astype(COLUMNS[name], copy=False))

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        num_users: int,
        num_items: int,
        columns: Collection[str] = (),
        asked_by: str = "the model",
    ) -> "Sequences":
        """Memory-map what `save` wrote; the whole of it is checked once, block by block.

        Args:
            columns: those of COLUMNS that are wanted; whether the data has them, dataset.json
                says, not the files.
            asked_by: the parameter that wants them, for the sentence where they are not there.

        Raises:
            UserError: a file is missing, the offsets do not fit or are of another number of
                users, or an item id is not in 1..num_items (found here it is a sentence; on a
                GPU it would be an assert); the data lacks a column, or one does not fit the items.
        """
        if columns:
            check_columns(read_split_facts(folder), columns, asked_by)
        offsets = read_npy(folder / "offsets.npy", np.int64, ndim=1, stage=STAGE)
        items = read_npy(folder / "items.npy", np.int32, ndim=1, stage=STAGE)
        if len(offsets) != num_users + 2:
            raise UserError(
                f"{folder}/offsets.npy holds {len(offsets)} offsets, expected {num_users + 2} for "
                f"{num_users} users; {AGAIN}"
            )
        if offsets[0] != 0 or offsets[1] != 0 or offsets[-1] != len(items):
            raise UserError(
                f"{folder}/offsets.npy does not fit the {len(items)} items beside it; {AGAIN}"
            )
        if (offsets[1:] < offsets[:-1]).any():
            raise UserError(f"{folder}/offsets.npy falls: expected never-falling offsets; {AGAIN}")
        check_items(items, num_items, folder / "items.npy")
        return cls(offsets, items, {name: _load_column(folder, name, items) for name in columns})


def columns_of(facts: DatasetFacts) -> tuple[str, ...]:
    """The names, of those in COLUMNS, that a dataset has."""
    has = {"rating": facts.has_ratings, "timestamp": facts.has_timestamps}
    return tuple(name for name in COLUMNS if has[name])


def check_columns(facts: DatasetFacts, columns: Collection[str], asked_by: str) -> None:
    """Raise UserError if a dataset lacks one of `columns`, which the parameter `asked_by` wants."""
    for name in columns:
        if name not in columns_of(facts):
            raise UserError(
                f"{asked_by} needs {NAMES[name]}, which the dataset {facts.name} does not have"
            )


def column_path(folder: Path, name: str) -> Path:
    """Where a column of COLUMNS lies beside items.npy: ratings.npy, timestamps.npy."""
    return folder / f"{name}s.npy"


def _load_column(folder: Path, name: str, items: np.ndarray) -> np.ndarray:
    path = column_path(folder, name)
    column = read_npy(path, COLUMNS[name], ndim=1, stage=STAGE)
    if len(column) != len(items):
        raise UserError(
            f"{path} holds {len(column)} values, expected one for each of the {len(items)} items "
            f"beside it; {AGAIN}"
        )
    if name == "rating":
        _check_ratings(column, path)
    return column


def _check_ratings(ratings: np.ndarray, path: Path, block: int = 1 << 22) -> None:
    for start in range(0, len(ratings), block):
        infinite = np.isinf(ratings[start : start + block])
        if infinite.any():
            raise UserError(
                f"{path}: entry {start + int(infinite.argmax())} is infinite, expected a number, "
                f"or NaN where the rating is not known; {AGAIN}"
            )


def check_items(items: np.ndarray, num_items: int, path: Path, block: int = 1 << 22) -> None:
    """Raise UserError for the first id of `items` (any shape) outside 1..num_items."""
    flat = items.reshape(-1)
    for start in range(0, len(flat), block):
        part = flat[start : start + block]
        wrong = (part < 1) | (part > num_items)
        if wrong.any():
            row = int(wrong.argmax())
            raise UserError(
                f"{path}: entry {start + row} is item {part[row]}, expected 1 to {num_items}"
            )
