"""Reading the user's own Parquet file, right and wrong input."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy_sources import ALL, rows

from sasrec.errors import UserError
from sasrec.parsing import LocalLayout, Source, read_local


def parquet(folder: Path, frame: pd.DataFrame, **layout: str) -> Source:
    frame.to_parquet(folder / "interactions.parquet")
    return read_local(folder, LocalLayout("mine.parquet", ALL, layout.get("unit", "s")))


@pytest.mark.parametrize(
    ("user", "timestamp", "expected"),
    [
        ([7, 5], [3, 4], [("7", 3), ("5", 4)]),
        (["07", "5"], [3.5, 4.0], [("07", 3), ("5", 4)]),
        ([7.0, 5.0], ["1970-01-01", "1970-01-02"], [("7", 0), ("5", 86400)]),
        (pd.Categorical(["b", "a"]), pd.to_datetime([3, 4], unit="s"), [("b", 3), ("a", 4)]),
        ([7, 5], pd.to_datetime([3, 4], unit="s", utc=True), [("7", 3), ("5", 4)]),
    ],
)
def test_parquet_types(tmp_path, user, timestamp, expected):
    frame = pd.DataFrame({"user": user, "item": 1, "rating": 2, "timestamp": timestamp})
    assert [(row[0], row[3]) for row in rows(parquet(tmp_path, frame))] == expected


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("user", ["a", None], "row 2: user is missing"),
        ("user", [1.0, 2.5], "row 2: user is 2.5, expected a whole number or text"),
        ("user", [[1], [2]], "row 1: user has type list"),
        ("rating", [1.0, np.inf], "row 2: rating is inf, expected a finite number"),
        ("timestamp", [1, -2], "row 2: timestamp is -2, expected a time from 1970 to 2099"),
        ("timestamp", [1.0, 1e12], "row 2: timestamp is 1000000000000.0, expected a time from"),
        ("timestamp", pd.to_datetime(["2000-01-01", "1960-01-01"]), "row 2: timestamp is 1960"),
        ("timestamp", [[1], [2]], "row 1: timestamp has type list"),
    ],
)
def test_wrong_parquet_values(tmp_path, column, values, message):
    frame = pd.DataFrame({"user": [1, 2], "item": 1, "rating": 2.0, "timestamp": 5})
    frame[column] = values
    with pytest.raises(UserError, match=f"^mine.parquet, {message}"):
        parquet(tmp_path, frame)


def test_a_file_that_is_not_parquet(tmp_path):
    (tmp_path / "interactions.parquet").write_text("user,item\n1,2\n")
    with pytest.raises(UserError, match=r"mine\.parquet is not a readable Parquet file"):
        read_local(tmp_path, LocalLayout("mine.parquet", ALL, "s"))
