"""JSON and CSV files, and what is said of those that cannot be read."""

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict, Field

from sasrec.base.errors import UserError
from sasrec.base.files import (
    read_csv,
    read_json,
    read_json_as,
    read_npy,
    write_csv,
    write_json,
)


def test_json_by_hand(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"name": "naïve", "values": [1, 0.5]})
    text = '{\n  "name": "naïve",\n  "values": [\n    1,\n    0.5\n  ]\n}\n'
    assert path.read_bytes() == text.encode()
    assert read_json(path) == {"name": "naïve", "values": [1, 0.5]}


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), np.float32(1)])
def test_what_is_not_json_is_refused_and_the_old_file_kept(tmp_path, wrong):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"value": wrong})
    assert read_json(path) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe", b"nope"])
def test_json_that_cannot_be_read_is_a_sentence(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.json is not valid JSON"):
        read_json(path)


def test_missing_files_are_named(tmp_path):
    for read in (read_json, lambda path: read_npy(path, np.int32)):
        with pytest.raises(UserError, match=r"missing\.any not found: run the stage that writes"):
            read(tmp_path / "missing.any")


def test_csv_by_hand(tmp_path):
    write_csv(tmp_path / "x.csv", pd.DataFrame({"user": [1, 2], "title": ["a,b", "ü"]}))
    assert (tmp_path / "x.csv").read_bytes() == 'user,title\n1,"a,b"\n2,ü\n'.encode()


CSV = "epoch,loss,note\n1,0.5,a\n2,0.25,b\n"


def test_csv_comes_back(tmp_path):
    (tmp_path / "x.csv").write_text(CSV)
    table = read_csv(tmp_path / "x.csv", ("epoch", "loss"), "train")
    assert table.to_dict("list") == {"epoch": [1, 2], "loss": [0.5, 0.25], "note": ["a", "b"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not valid CSV: No columns to parse from file"),
        ("epoch,note\n1,a\n", "lacks the column loss"),
        ("a,b\n1,2\n", "lacks the column epoch and loss"),
        ("epoch,loss\n", "holds no row"),
        ("epoch,loss\n1,\n", "expected numbers in every row of the column loss"),
        ("epoch,loss\n1,inf\n", "expected numbers in every row of the column loss"),
        ("epoch,loss\none,1\n", "expected numbers in every row of the column epoch"),
        ("epoch,loss\nTrue,1\n", "expected numbers in every row of the column epoch"),
        ('epoch,loss\n1,"2\n', "is not valid CSV"),
        (b"\xff\xfe\x00", "is not valid CSV"),
    ],
)
def test_a_table_that_is_not_as_expected_is_a_sentence(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=message) as caught:
        read_csv(path, ("epoch", "loss"), "train")
    assert str(caught.value).startswith(f"{path}")
    assert str(caught.value).endswith("run `python stages/train.py` again")
    assert "\n" not in str(caught.value)


class Thing(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    name: str
    size: int = Field(ge=1)


def test_json_of_a_kind_keeps_other_keys(tmp_path):
    write_json(tmp_path / "x.json", {"name": "a", "size": 3, "more": [1]})
    found = read_json_as(tmp_path / "x.json", Thing, "split")
    assert found.model_dump() == {"name": "a", "size": 3, "more": [1]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"name": "a"}', "size is missing"),
        ('{"name": "a", "size": "3"}', "size = '3': should be a valid integer"),
        ('{"name": "a", "size": -3}', "size = -3: should be greater than or equal to 1"),
        ('{"name": ["a"], "size": 3}', r"name = \['a'\]: should be a valid string"),
        ('{"name": "a", "size": 1.5}', "size = 1.5: should be a valid integer"),
        ("[1]", "holds a list, expected an object"),
        ("7", "holds a number, expected an object"),
        ("null", "holds null, expected an object"),
        ("[" * 100_000, "is not valid JSON"),
        ("", "is not valid JSON"),
    ],
)
def test_json_that_is_not_as_expected_is_a_sentence(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_json_as(path, Thing, "split")
    assert str(caught.value).endswith("run `python stages/split.py` again")
    assert "\n" not in str(caught.value)


READERS = {
    "json": lambda path: read_json_as(path, Thing, "split"),
    "npy": lambda path: read_npy(path, np.int32, stage="split"),
    "csv": lambda path: read_csv(path, ("epoch",), "split"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_where_there_is_no_file(tmp_path, read):
    with pytest.raises(UserError, match=r"x\.y not found: run `python stages/split\.py` first"):
        read(tmp_path / "x.y")
    (tmp_path / "x.y").mkdir()
    with pytest.raises(UserError, match=r"x\.y is a folder, expected a file"):
        read(tmp_path / "x.y")
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError, match=r"data/a/x\.y not found: .*/data is a file, expected a f"):
        read(tmp_path / "data" / "a" / "x.y")
