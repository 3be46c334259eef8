"""What is to be ranked: for each of E users a target and candidates, as files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.base.files import read_npy, write_npy
from sasrec.data.sequences import AGAIN, STAGE, Sequences, check_items

# Of targets, those that nobody trains on: hit rates of models by ids stay below 1 minus this share.
MANY_UNSEEN = 0.05


@dataclass(frozen=True)
class Targets:
    """The targets of validation or test.

    Attributes:
        users: int32 [E], ascending.
        items: int32 [E], the item that each user interacted with next.
        candidates: int32 [E, K], items that the user never interacted with; zeros for a user who
            leaves fewer than K, and whom sampled ranking leaves out.
    """

    users: np.ndarray
    items: np.ndarray
    candidates: np.ndarray

    @property
    def sampled_name(self) -> str:
        """The sampled protocol's name in metrics: `sampled_100` for 100 candidates."""
        return f"sampled_{self.candidates.shape[1]}"

    @property
    def has_candidates(self) -> np.ndarray:
        """Bool [E]: whom sampled ranking ranks."""
        return self.candidates.any(axis=1)

    def share_in_history(self, histories: Sequences) -> float:
        """The share of targets that the user's history holds already: taken again."""
        return float(histories.hold(self.users, self.items).mean())

    def save(self, folder: Path) -> None:
        """Write target_users.npy, target_items.npy and candidates.npy into `folder`."""
        write_targets(folder, self.users, self.items)
        write_npy(folder / "candidates.npy", self.candidates.astype(np.int32))

    @classmethod
    def load(cls, folder: Path, *, num_users: int, num_items: int) -> "Targets":
        """Read what `save` wrote, checked: shapes that fit, ids in range.

        Raises:
            UserError: a file is missing or does not fit the others.
        """
        users, items = read_targets(folder, num_users=num_users, num_items=num_items)
        candidates = read_npy(folder / "candidates.npy", np.int32, ndim=2, stage=STAGE)
        if len(users) != len(candidates):
            raise UserError(
                f"{folder}: {len(users)} targets and candidates for {len(candidates)} do not fit "
                f"together; {AGAIN}"
            )
        if not candidates.size:
            raise UserError(f"{folder}: there is no candidate; {AGAIN}")
        targets = cls(users, items, candidates)
        drawn = targets.has_candidates
        check_items(
            candidates if drawn.all() else candidates[drawn], num_items, folder / "candidates.npy"
        )
        return targets


def write_targets(folder: Path, users: np.ndarray, items: np.ndarray) -> None:
    """Write target_users.npy and target_items.npy into `folder`, each [E]."""
    write_npy(folder / "target_users.npy", users.astype(np.int32))
    write_npy(folder / "target_items.npy", items.astype(np.int32))


def read_targets(folder: Path, *, num_users: int, num_items: int) -> tuple[np.ndarray, np.ndarray]:
    """The users and their targets, int32 [E], that `write_targets` wrote; E is at least 1.

    Raises:
        UserError: a file is missing or does not fit the other.
    """
    users, items = (
        read_npy(folder / f"{name}.npy", np.int32, ndim=1, stage=STAGE)
        for name in ("target_users", "target_items")
    )
    if len(users) != len(items):
        raise UserError(
            f"{folder}: {len(users)} users and {len(items)} targets do not fit together; {AGAIN}"
        )
    if not users.size:
        raise UserError(f"{folder}: there is no target; {AGAIN}")
    if not (users.min() >= 1 and users.max() <= num_users):
        raise UserError(f"{folder}/target_users.npy: expected users from 1 to {num_users}; {AGAIN}")
    if (users[1:] <= users[:-1]).any():
        raise UserError(f"{folder}/target_users.npy: expected ascending users, each once; {AGAIN}")
    check_items(items, num_items, folder / "target_items.npy")
    return users, items
