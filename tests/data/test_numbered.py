"""Reading what preprocess wrote: checked before anything is cut."""

import json
from pathlib import Path

import numpy as np
import pytest

from sasrec.base.errors import UserError
from sasrec.data.interactions import read_numbered

COLUMNS = {"user": [1, 1, 3], "item": [2, 5, 2], "timestamp": [7, 9, 8]}


def write(folder: Path, **changes: list[int]) -> Path:
    for name, values in (COLUMNS | changes).items():
        np.save(folder / f"{name}.npy", np.array(values, "int64" if name == "timestamp" else "i4"))
    sizes = {"num_users": 3, "num_items": 5, "num_interactions": 7}
    facts = {"name": "local", **sizes, "has_ratings": False, "has_timestamps": True}
    facts |= {"time_unit": "s", "fingerprint": "0123456789abcdef"}
    (folder / "dataset.json").write_text(json.dumps(facts))
    return folder


def test_sequences_and_times(tmp_path: Path) -> None:
    data = read_numbered(write(tmp_path))
    assert [data.sequences.of(user).tolist() for user in (1, 2, 3)] == [[2, 5], [], [2]]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [7, 9, 8]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": [2, 5]}, "3 users, 2 items and 3 time stamps"),
        ({"user": [], "item": [], "timestamp": []}, "at least one"),
        ({"user": [1, 3, 2]}, "user.npy: expected users from 1 to 3, ascending"),
        ({"user": [0, 1, 3]}, "expected users from 1 to 3"),
        ({"user": [1, 1, 4]}, "expected users from 1 to 3"),
        ({"item": [2, 6, 2]}, r"item.npy: entry 1 is item 6, expected 1 to 5"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_numbered(write(tmp_path, **changes))
