"""data/interactions/, written and read: checked before anything is cut."""

import json
from pathlib import Path

import numpy as np
import pytest

from sasrec.base.errors import UserError
from sasrec.data.facts import DatasetFacts
from sasrec.data.interactions import read_interactions, write_interactions

COLUMNS = {"user": [1, 1, 3], "item": [2, 5, 2], "timestamp": [7, 9, 8]}


SIZES = {"num_users": 3, "num_items": 5, "num_interactions": 7}
FACTS = DatasetFacts(
    name="local",
    **SIZES,
    has_ratings=False,
    has_timestamps=True,
    time_unit="s",
    fingerprint="0123456789abcdef",
)


def write(folder: Path, **changes: list[int]) -> Path:
    columns = {name: np.array(values) for name, values in (COLUMNS | changes).items()}
    write_interactions(folder, FACTS, **columns, rating=None)
    return folder


def test_the_files_that_are_written(tmp_path: Path) -> None:
    write(tmp_path)
    facts = {"name": "local", **SIZES, "has_ratings": False, "has_timestamps": True}
    facts |= {"time_unit": "s", "fingerprint": "0123456789abcdef"}
    assert json.loads((tmp_path / "dataset.json").read_text()) == facts
    arrays = {path.stem: np.load(path) for path in tmp_path.glob("*.npy")}
    dtypes = {name: array.dtype.str for name, array in arrays.items()}
    assert dtypes == {"user": "<i4", "item": "<i4", "rating": "<f4", "timestamp": "<i8"}
    assert {name: arrays[name].tolist() for name in COLUMNS} == COLUMNS
    assert np.isnan(arrays["rating"]).all()


def test_sequences_and_times(tmp_path: Path) -> None:
    data = read_interactions(write(tmp_path))
    assert [data.sequences.of(user).tolist() for user in (1, 2, 3)] == [[2, 5], [], [2]]
    (timestamps,) = data.sequences.columns.values()
    assert timestamps.tolist() == [7, 9, 8]


@pytest.mark.parametrize("has_ratings", [False, True])
@pytest.mark.parametrize("has_timestamps", [False, True])
def test_columns_are_those_that_dataset_json_tells_of(
    tmp_path: Path, has_ratings: bool, has_timestamps: bool
) -> None:
    has = {"has_ratings": has_ratings, "has_timestamps": has_timestamps}
    facts = FACTS.model_copy(update=has)
    columns = {name: np.array(values) for name, values in COLUMNS.items()}
    write_interactions(tmp_path, facts, **columns, rating=np.array([5, np.nan, 1.5]))
    found = read_interactions(tmp_path).sequences.columns
    expected = {"rating": [5.0, None, 1.5]} if has_ratings else {}
    expected |= {"timestamp": [7, 9, 8]} if has_timestamps else {}
    lists = {name: column.tolist() for name, column in found.items()}
    assert {
        name: [None if value != value else value for value in values]
        for name, values in lists.items()
    } == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"item": [2, 5]}, "3 users, 2 items, 3 time stamps: expected as many"),
        ({"user": [], "item": [], "timestamp": []}, "at least one"),
        ({"user": [1, 3, 2]}, "user.npy: expected users from 1 to 3, ascending"),
        ({"user": [0, 1, 3]}, "expected users from 1 to 3"),
        ({"user": [1, 1, 4]}, "expected users from 1 to 3"),
        ({"item": [2, 6, 2]}, r"item.npy: entry 1 is item 6, expected 1 to 5"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_interactions(write(tmp_path, **changes))
