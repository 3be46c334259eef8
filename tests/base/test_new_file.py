"""A file is there whole or not at all, whatever stands in its place."""

import errno
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from places import STAGES

from sasrec.base.errors import UserError
from sasrec.base.files import (
    new_file,
    read_json,
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
