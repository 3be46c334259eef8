"""Genres and years of items: taken from items.csv, kept as files, checked."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import DESCRIPTION

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Catalogue, Details, write_catalogue
from sasrec.data.facts import SplitFacts, write_facts
from sasrec.data.features import ItemFeatures, features_of, read_features


def catalogue(*columns: str, rows: list[tuple[str, ...]]) -> Catalogue:
    """Items 1, 2, ... with these details; their raw ids are a, b, ..."""
    raw_ids = {number: chr(96 + number) for number in range(1, len(rows) + 1)}
    details = Details(columns, dict(zip(raw_ids.values(), rows, strict=True)))
    return Catalogue(Path("items.csv"), raw_ids, details)


def genres_of(features: ItemFeatures) -> list[list[str]]:
    """The names of each item's genres, item 0's first."""
    parts = np.split(features.genres, features.offsets[1:-1])
    return [[features.names[number] for number in part] for part in parts]


def test_features_by_hand() -> None:
    rows = [
        ("1995", "Film", "Drama|Comedy"),
        ("", "Nothing", ""),
        ("unkonwn", "ml-100k's own", "unknown"),
        ("2000", "Twice", "Comedy| Film-Noir |Comedy"),
    ]
    features = features_of(catalogue("year", "title", "genres", rows=rows), 4)
    assert features.names == ("Comedy", "Drama", "Film-Noir")
    assert features.offsets.tolist() == [0, 0, 2, 2, 2, 4]
    assert features.genres.tolist() == [1, 0, 0, 2]
    assert features.years.tolist() == [0, 1995, 0, 0, 2000]
    dtypes = [array.dtype for array in (features.offsets, features.genres, features.years)]
    assert dtypes == [np.int64, np.int32, np.int32]


@pytest.mark.parametrize(
    ("columns", "row", "names", "years"),
    [
        (("genres",), ("War",), ("War",), [0, 0]),
        (("year",), ("1971",), (), [0, 1971]),
    ],
)
def test_one_without_the_other(columns, row, names, years) -> None:
    features = features_of(catalogue(*columns, rows=[row]), 1)
    assert (features.names, features.years.tolist()) == (names, years)
    assert len(features.genres) == len(names)


@pytest.mark.parametrize(
    ("columns", "row"), [((), ()), (("title",), ("X",)), (("year", "genres"), ("19", "|"))]
)
def test_nothing_known_is_no_features(columns, row) -> None:
    assert features_of(catalogue(*columns, rows=[row]), 1) is None


def test_an_item_without_a_row_is_refused() -> None:
    with pytest.raises(UserError, match=r"items.csv has no row for the id 2"):
        features_of(catalogue("year", rows=[("1995",)]), 2)


def write(folder: Path, features: ItemFeatures) -> Path:
    num_items = len(features.years) - 1
    write_facts(folder, SplitFacts(**DESCRIPTION["data"] | {"num_items": num_items}))
    features.save(folder)
    return folder


@given(
    st.lists(st.lists(st.sampled_from(["A", "é", "C D"]), unique=True), min_size=1, max_size=9),
    st.integers(0, 9999),
)
def test_features_come_back_from_their_files(tmp_path_factory, genres, year) -> None:
    rows = [("|".join(names), f"{year:04}") for names in genres]
    features = features_of(catalogue("genres", "year", rows=rows), len(rows))
    if features is None:
        assert year == 0
        assert not any(genres)
        return
    assert genres_of(features) == [[], *genres]
    found = read_features(write(tmp_path_factory.mktemp("split"), features))
    assert found.names == features.names
    for name in ("offsets", "genres", "years"):
        assert getattr(found, name).dtype == getattr(features, name).dtype
        assert np.array_equal(getattr(found, name), getattr(features, name))


@pytest.fixture
def split(tmp_path: Path) -> Path:
    rows = [("A|B", "1995"), ("B", ""), ("", "1999")]
    return write(tmp_path, features_of(catalogue("genres", "year", rows=rows), 3))


def test_a_split_without_features(split: Path) -> None:
    shutil.rmtree(split / "features")
    assert read_features(split) is None


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("offsets", [0, 0, 2, 3], "4 offsets and 4 years, expected 5 and 4 for 3 items"),
        ("offsets", [0, 0, 2, 3, 4], "offsets.npy does not fit the 3 genres beside it"),
        ("offsets", [0, 1, 2, 3, 3], "offsets.npy does not fit the 3 genres"),
        ("offsets", [0, 0, 3, 2, 3], "offsets.npy falls"),
        ("genres", [0, 1, 2], "genres.npy: expected numbers below 2"),
        ("genres", [0, -1, 1], "genres.npy: expected numbers below 2"),
        ("years", [0, 1995, 0], "5 offsets and 3 years"),
        ("years", [0, -1, 0, 1999], "years.npy: expected years"),
        ("years", None, "years.npy not found: run `python stages/split.py` first"),
    ],
)
def test_features_that_do_not_fit_are_refused(split: Path, name, array, message) -> None:
    path = split / "features" / f"{name}.npy"
    dtype = np.load(path).dtype
    path.unlink()
    if array is not None:
        np.save(path, np.array(array, dtype))
    with pytest.raises(UserError, match=message):
        read_features(split)


@pytest.mark.parametrize("content", ["[]", "{}", '{"names": [3]}', "x"])
def test_names_that_are_none_are_refused(split: Path, content: str) -> None:
    (split / "features/genres.json").write_text(content)
    with pytest.raises(UserError, match=r"genres.json.*run `python stages/split.py` again"):
        read_features(split)


def test_the_names_are_plain_json(split: Path) -> None:
    assert json.loads((split / "features/genres.json").read_text()) == {"names": ["A", "B"]}


def test_items_csv_is_where_they_come_from(tmp_path: Path) -> None:
    details = Details(("title", "year", "genres"), {"x": ("T", "1995", "War|Drama")})
    write_catalogue(tmp_path / "items.csv", ["x", "y"], details)
    features = features_of(Catalogue.read(tmp_path / "items.csv"), 2)
    assert genres_of(features) == [[], ["War", "Drama"], []]
