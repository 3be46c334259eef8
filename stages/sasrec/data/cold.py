"""The test on new items: what split holds out of training, as files.

Shapes: C cold items, E users with a target among them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.base.files import read_npy, write_npy
from sasrec.data.facts import SplitFacts
from sasrec.data.sequences import AGAIN, STAGE, Sequences, check_items
from sasrec.data.targets import read_targets, write_targets

FOLDER = "cold"  # in data/split/test


@dataclass(frozen=True)
class ColdTest:
    """Items that training never sees, and the last of them that each user interacted with.

    Attributes:
        cold_items: int32 [C], ascending.
        histories: of all users; of those with a target, everything before it, cold items too.
        users: int32 [E], ascending.
        items: int32 [E], the targets.
    """

    cold_items: np.ndarray
    histories: Sequences
    users: np.ndarray
    items: np.ndarray

    def is_cold(self, num_items: int) -> np.ndarray:
        """Bool [N + 1], by item."""
        return mask_of(self.cold_items, num_items)

    def warm_histories(self, num_items: int) -> Sequences:
        """The histories without cold items: what a model reads."""
        return self.histories.where(~self.is_cold(num_items)[self.histories.items])

    def save(self, folder: Path) -> None:
        """Write cold_items.npy, the histories and the targets into `folder`/cold."""
        folder = folder / FOLDER
        folder.mkdir()
        write_npy(folder / "cold_items.npy", self.cold_items.astype(np.int32, copy=False))
        self.histories.save(folder)
        write_targets(folder, self.users, self.items)


def mask_of(items: np.ndarray, num_items: int) -> np.ndarray:
    """Bool [N + 1]: which ids are among `items`."""
    mask = np.zeros(num_items + 1, np.bool)
    mask[items] = True
    return mask


def read_cold_test(
    folder: Path, facts: SplitFacts, columns: Collection[str] = ()
) -> ColdTest | None:
    """What `save` wrote into `folder`, which is data/split/test; None if nothing.

    Args:
        facts: of the split.
        columns: of the histories, those that are wanted; the data must have them.

    Raises:
        UserError: a file is missing, or does not fit the others or the facts.
    """
    folder = folder / FOLDER
    if not folder.is_dir():
        return None
    path = folder / "cold_items.npy"
    cold_items = read_npy(path, np.int32, ndim=1, stage=STAGE)
    check_items(cold_items, facts.num_items, path)
    if not len(cold_items) or (cold_items[1:] <= cold_items[:-1]).any():
        raise UserError(f"{path}: expected ascending items, each once; {AGAIN}")
    counts = {"num_users": facts.num_users, "num_items": facts.num_items}
    users, items = read_targets(folder, **counts)
    test = ColdTest(cold_items, Sequences.load(folder, **counts, columns=columns), users, items)
    if not test.is_cold(facts.num_items)[items].all():
        raise UserError(f"{folder}/target_items.npy: a target is not in {path.name}; {AGAIN}")
    if not test.warm_histories(facts.num_items).lengths[users].all():
        raise UserError(f"{folder}: a target has no item before it that is not cold; {AGAIN}")
    return test
