"""Files that are there whole or not at all, and what is said of those that cannot be read."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sasrec.errors import UserError
from sasrec.files import (
    new_file,
    new_folder,
    read_json,
    read_npy,
    write_csv,
    write_json,
    write_npy,
)

STAGES = Path(__file__).parents[1] / "stages"


def tree(folder):
    """Every file below `folder` and what it holds."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def kill_in_the_middle(statement, folder):
    """Run `with <statement> as path:`, write to it, and kill the process inside the block."""
    code = (
        f"import pathlib, time\nfrom sasrec.files import new_file, new_folder\n"
        f"with {statement} as path:\n"
        f"    (path / 'new.txt' if path.is_dir() else path).write_text('half')\n"
        f"    print('ready', flush=True)\n    time.sleep(60)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(STAGES)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        process.wait()


def write_half(path):
    (path / "new.txt" if path.is_dir() else path).write_text("half")
    raise RuntimeError("in the middle")


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    for name in ("old", "new"):
        with new_folder(tmp_path / "deep" / "out") as folder:
            assert list(folder.iterdir()) == []
            (folder / f"{name}.txt").write_text(name)
    assert tree(tmp_path) == {"deep/out/new.txt": b"new"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_new_folder_is_not_there_before_the_block_ends(tmp_path):
    with new_folder(tmp_path / "out"):
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").is_dir()


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_an_exception_leaves_what_was_there(tmp_path, make):
    with make(tmp_path / "out") as path:
        (path / "old.txt" if path.is_dir() else path).write_text("old")
    before = tree(tmp_path)
    with pytest.raises(RuntimeError, match="in the middle"), make(tmp_path / "out") as path:
        write_half(path)
    assert tree(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_an_exception_leaves_nothing_where_nothing_was(tmp_path, make):
    with pytest.raises(RuntimeError, match="in the middle"), make(tmp_path / "out") as path:
        write_half(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_a_killed_process_leaves_what_was_there(tmp_path, make):
    def write(text):
        with make(tmp_path / "out") as path:
            assert not path.is_dir() or list(path.iterdir()) == []
            (path / "old.txt" if path.is_dir() else path).write_text(text)

    write("old")
    before = tree(tmp_path)
    kill_in_the_middle(f"{make.__name__}(pathlib.Path('out'))", tmp_path)
    after = tree(tmp_path)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1  # the leftover ...
    write("newer")
    assert list(tree(tmp_path).values()) == [b"newer"]  # ... is gone


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


@pytest.mark.parametrize(("code", "expected"), [(None, errno.ENOSPC), (errno.EIO, errno.EIO)])
def test_a_short_write_is_a_full_disk(tmp_path, monkeypatch, code, expected):
    def fail(*_arguments, **_options):
        raise OSError(*([code, "failed"] if code else ["1000 requested and 10 written"]))

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(OSError, match=r"x\.npy") as caught:
        write_npy(tmp_path / "x.npy", np.arange(3))
    assert caught.value.errno == expected
    assert list(tmp_path.iterdir()) == []


def test_csv_by_hand(tmp_path):
    write_csv(tmp_path / "x.csv", pd.DataFrame({"user": [1, 2], "title": ["a,b", "ü"]}))
    assert (tmp_path / "x.csv").read_bytes() == 'user,title\n1,"a,b"\n2,ü\n'.encode()
