"""Files that are there whole or not at all, and what is said of those that cannot be read."""

import contextlib
import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from places import STAGES
from pydantic import BaseModel, ConfigDict, Field

from sasrec.base.errors import UserError
from sasrec.base.files import (
    new_file,
    read_csv,
    read_json,
    read_json_as,
    read_npy,
    write_csv,
    write_json,
    write_npy,
)
from sasrec.base.temporaries import final_path


def tree(folder):
    """Every file below `folder` and what it holds."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_a_new_file_takes_the_place_of_the_old_one(tmp_path):
    (tmp_path / "out").write_text("old")
    with new_file(tmp_path / "out") as path:
        path.write_text("new")
        assert (tmp_path / "out").read_text() == "old"
    assert tree(tmp_path) == {"out": b"new"}


@pytest.mark.parametrize("before", [{}, {"out": b"old"}])
def test_an_exception_leaves_what_was_there(tmp_path, before):
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)

    def fail():
        with new_file(tmp_path / "out") as path:
            path.write_text("half")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert tree(tmp_path) == before


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_permissions_follow_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        write_json(tmp_path / "out", {})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o666 & ~umask


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there/target").write_text("old")
    (tmp_path / "second").symlink_to("there/target")
    (tmp_path / "first").symlink_to("second")
    write_json(tmp_path / "first", {"new": 1})
    assert (tmp_path / "first").is_symlink()
    assert (tmp_path / "second").is_symlink()
    assert read_json(tmp_path / "there/target") == {"new": 1}
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["target"]


def test_no_name_of_a_temporary_file_can_be_known_before(tmp_path):
    names = set()
    for _ in range(3):
        with new_file(tmp_path / "out") as path:
            names.add(path.name)
    assert len(names) == 3
    assert {final_path(name) for name in names} == {Path("out")}


def test_a_temporary_name_that_is_taken_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".out.00000000.tmp").symlink_to("victim")
    monkeypatch.setattr("sasrec.base.files.new_token", lambda: "00000000")
    with pytest.raises(FileExistsError):
        write_json(tmp_path / "out", {})
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_pipe_is_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_text()))
    reader.start()
    write_json(tmp_path / "pipe", {"a": 1})
    reader.join(10)
    assert read == ['{\n  "a": 1\n}\n']
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("into_file", [True, False])
def test_standard_output_is_continued(tmp_path, into_file):
    program = (
        "import pathlib\nfrom sasrec.base.files import write_json\nprint('before')\n"
        "write_json(pathlib.Path('/dev/stdout'), {})\nprint('after')\n"
        "write_json(pathlib.Path('/dev/null'), {})\n"
    )
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": str(STAGES), "PYTHONUNBUFFERED": ""},
            stdout=out if into_file else subprocess.PIPE,
            check=True,
        )
    printed = (tmp_path / "out").read_bytes() if into_file else done.stdout
    assert printed == b"before\n{}\nafter\n"
    assert Path("/dev/null").is_char_device()


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="out is a folder, expected a file"):
        write_json(tmp_path / "out", {})
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_new_file_makes_its_folder(tmp_path):
    with new_file(tmp_path / "a" / "b.txt") as path:
        path.write_text("x")
    assert tree(tmp_path) == {"a/b.txt": b"x"}


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


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("array", [np.arange(6, dtype=np.int32).reshape(2, 3).T, np.int32([])])
def test_arrays_come_back(tmp_path, array, memory_map):
    path = tmp_path / "x.npy"
    write_npy(path, array)
    found = read_npy(path, np.int32, memory_map=memory_map)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == np.int32
    assert isinstance(found, np.memmap) is memory_map


def test_writing_to_a_mapped_array_does_not_reach_the_file(tmp_path):
    path = tmp_path / "x.npy"
    write_npy(path, np.arange(5))
    read_npy(path, np.int64)[2] = 99
    assert read_npy(path, np.int64).tolist() == [0, 1, 2, 3, 4]


def test_the_same_array_is_the_same_bytes(tmp_path):
    array = np.arange(12).reshape(3, 4)
    write_npy(tmp_path / "a.npy", array)
    write_npy(tmp_path / "b.npy", np.asfortranarray(array))
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_objects_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        write_npy(tmp_path / "x.npy", np.array([{}]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [np.float32, np.int64, np.dtype(">i4")])
def test_another_dtype_is_refused(tmp_path, wrong):
    np.save(tmp_path / "x.npy", np.ones(3, wrong))
    with pytest.raises(UserError, match=rf"x\.npy holds {np.dtype(wrong)}, expected int32"):
        read_npy(tmp_path / "x.npy", np.int32)


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("cut", [slice(0, 0), slice(0, 40), slice(0, -1), slice(1, None)])
def test_a_corrupt_array_is_a_sentence(tmp_path, cut, memory_map):
    path = tmp_path / "x.npy"
    write_npy(path, np.arange(100))
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(UserError, match=r"x\.npy is not a readable \.npy array"):
        read_npy(path, np.int64, memory_map=memory_map)


def test_a_pickle_is_not_loaded(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{}]), allow_pickle=True)
    for memory_map in (True, False):
        with pytest.raises(UserError, match="not a readable"):
            read_npy(tmp_path / "x.npy", np.int32, memory_map=memory_map)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("1000 requested and 10 written",), errno.ENOSPC),  # as numpy says it
        ((errno.ENOSPC, "Arrow's own words. Detail: no space"), errno.ENOSPC),
        ((errno.EIO, "failed"), errno.EIO),
        ((errno.EDQUOT, "failed", "source.csv", None, "copy.csv"), errno.EDQUOT),
    ],
)
@pytest.mark.parametrize("folder", ["", ".data.0a1b2c3d.tmp"])
def test_an_error_of_writing_names_the_final_file(tmp_path, monkeypatch, arguments, code, folder):
    def fail(*_arguments, **_options):
        raise OSError(*arguments)

    (tmp_path / folder).mkdir(exist_ok=True)
    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match=r"x\.npy|copy\.csv") as caught:
        write_npy(tmp_path / folder / "x.npy", np.arange(3))
    assert caught.value.errno == code
    assert caught.value.strerror in (os.strerror(code), "failed")
    copied = len(arguments) == 5
    expected = "copy.csv" if copied else str(tmp_path / (folder and "data") / "x.npy")
    assert caught.value.filename == expected


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


def test_another_number_of_dimensions_is_refused(tmp_path):
    write_npy(tmp_path / "x.npy", np.zeros((2, 3), np.int32))
    read_npy(tmp_path / "x.npy", np.int32, ndim=2)
    with pytest.raises(UserError, match=r"x\.npy has the shape \(2, 3\), expected 1 dimension"):
        read_npy(tmp_path / "x.npy", np.int32, ndim=1)


def test_an_archive_of_arrays_is_no_array(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.arange(3))
    (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    with pytest.raises(UserError, match="not a readable"):
        read_npy(tmp_path / "x.npy", np.int64)


@given(st.data())
def test_a_damaged_array_is_read_or_is_a_sentence(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "x.npy"
    write_npy(path, np.arange(6).reshape(2, 3))
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.sampled_from(b"\x00\x01\x7f\xff'(){}[],:0123456789<>|ifUO L"))
    path.write_bytes(content)
    for memory_map in (True, False):
        with contextlib.suppress(UserError):
            read_npy(path, np.int64, memory_map=memory_map)
