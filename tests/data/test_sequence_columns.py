"""Columns beside items.npy: saved, loaded, checked; and what a dataset lacks, in words."""

from dataclasses import replace

import numpy as np
import pytest
from toys import DESCRIPTION, toy_sequences

from sasrec.base.errors import UserError
from sasrec.data.facts import SplitFacts, write_facts
from sasrec.data.sequences import Sequences

SIZES = {"num_users": 3, "num_items": 7}
RATINGS = np.array([4, np.nan, 0.5, 5, 1], np.float32)
TIMES = np.array([-5, 2**53 + 1, 9, 0, 2**62])


def tell(folder, **changes):
    """dataset.json of a dataset with ratings and times, but for `changes`."""
    has = {"has_ratings": True, "has_timestamps": True}
    facts = SplitFacts(**DESCRIPTION["data"] | has)
    write_facts(folder, facts.model_copy(update=changes))


@pytest.fixture
def split(tmp_path):
    columns = {"rating": RATINGS, "timestamp": TIMES}
    replace(toy_sequences([[4, 2], [], [7, 7, 1]]), columns=columns).save(tmp_path)
    tell(tmp_path)
    return tmp_path


def test_columns_come_back_from_their_files(split):
    assert {path.name for path in split.glob("*.npy")} == {
        "items.npy",
        "offsets.npy",
        "ratings.npy",
        "timestamps.npy",
    }
    found = Sequences.load(split, **SIZES, columns=("timestamp", "rating")).columns
    assert list(found) == ["timestamp", "rating"]
    assert np.array_equal(found["rating"], RATINGS, equal_nan=True)
    assert np.array_equal(found["timestamp"], TIMES)
    assert (found["rating"].dtype, found["timestamp"].dtype) == (np.float32, np.int64)
    assert all(isinstance(column, np.memmap) for column in found.values())


def test_by_default_no_column_is_read(split):
    for name in ("ratings.npy", "timestamps.npy", "dataset.json"):
        (split / name).unlink()
    assert Sequences.load(split, **SIZES).columns == {}


@pytest.mark.parametrize(
    ("has", "column", "message"),
    [
        (
            "has_ratings",
            "rating",
            "model.inputs needs ratings, which the dataset toy does not h",
        ),
        ("has_timestamps", "timestamp", "model.inputs needs time stamps, which the dataset toy"),
    ],
)
def test_what_is_left_over_from_another_dataset_is_not_read(split, has, column, message):
    tell(split, **{has: False})
    other = {"rating": "timestamp", "timestamp": "rating"}[column]
    assert list(Sequences.load(split, **SIZES, columns=[other]).columns) == [other]
    with pytest.raises(UserError, match=message):
        Sequences.load(split, **SIZES, columns=[other, column], asked_by="model.inputs")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("ratings", RATINGS[1:], "ratings.npy holds 4 values, expected one for each of the 5 item"),
        ("ratings", RATINGS[:, None], r"has the shape \(5, 1\), expected 1 dimension"),
        ("ratings", RATINGS.astype(float), "holds float64, expected float32"),
        ("ratings", RATINGS * np.inf, "entry 0 is infinite, expected a number"),
        ("timestamps", TIMES[:0], "timestamps.npy holds 0 values, expected one for each of the 5"),
        ("timestamps", TIMES.astype(float), "holds float64, expected int64"),
        ("timestamps", None, "timestamps.npy not found: run `python stages/split.py` first"),
    ],
)
def test_columns_that_do_not_fit_are_refused(split, name, array, message):
    (split / f"{name}.npy").unlink()
    if array is not None:
        np.save(split / f"{name}.npy", array)
    with pytest.raises(UserError, match=message) as caught:
        Sequences.load(split, **SIZES, columns=("rating", "timestamp"))
    assert "run `python stages/split.py`" in str(caught.value)
