"""What a stage writes appears together or not at all, and nothing else is touched."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
from toy_outputs import (
    FILE,
    FOLDER,
    OTHER,
    OUTPUTS,
    complete,
    fill,
    tree,
    write,
    write_and_raise,
)

from sasrec.base.errors import UserError


def test_all_appear_at_the_end_and_replace_what_was_there(here):
    write("old")
    assert tree(here) == complete("old")
    (here / FOLDER / "b.txt").write_text("of the old one")
    with OUTPUTS.new() as new:
        assert list(new) == [FOLDER, FILE, OTHER]
        assert list(new[FOLDER].iterdir()) == []
        fill(new, "new")
        assert (here / FILE).read_text() == (here / FOLDER / "a.txt").read_text() == "old"
    assert tree(here) == complete("new")


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(here, umask):
    before = os.umask(umask)
    try:
        write("x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((here / FOLDER).stat().st_mode) == 0o777 & ~umask
    assert stat.S_IMODE((here / FILE).stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("error", [RuntimeError, UserError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("earlier", [True, False])
def test_an_exception_leaves_everything_as_it_was(here, error, earlier):
    if earlier:
        write("old")
    before = tree(here)
    with pytest.raises(error):
        write_and_raise("new", error)
    # The lock stays, and with it its folder.
    assert tree(here) == (before or {"data": None})


@pytest.mark.parametrize("kinds", [("", "a.txt"), ("a.txt", ""), ("gone", "gone")])
def test_planted_links_are_replaced_but_never_followed(here, kinds):
    (here / "victim").mkdir()
    (here / "victim/a.txt").write_text("mine")
    (here / "data").mkdir()
    (here / "metrics").mkdir()
    (here / "data/.model.0a1b2c3d.tmp").symlink_to(here / "victim")
    (here / "data/model").symlink_to(here / "victim" / kinds[0])
    (here / "metrics/train.json").symlink_to(here / "victim" / kinds[1])
    write("new")
    assert tree(here / "victim") == {"a.txt": "mine"}
    assert not (here / "data/model").is_symlink()
    shutil.rmtree(here / "victim")
    assert tree(here) == complete("new")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda: FOLDER.write_text(""), "data/model is a file, expected a folder"),
        (lambda: OTHER.mkdir(), r"plots/curve\.png is a folder, expected a file"),
        (lambda: os.mkfifo(FILE), r"metrics/train\.json is a device or pipe, expected a file"),
        (lambda: (OTHER.parent.rmdir(), Path("plots").write_text("")), "plots is not a folder"),
        (lambda: (shutil.rmtree("data"), Path("data").write_text("")), "data is not a folder"),
        (lambda: (FILE.parent.rmdir(), FILE.parent.symlink_to("no")), "metrics is not a folder"),
    ],
)
def test_what_cannot_be_replaced_is_told_before_the_work(here, spoil, message):
    for path in (FOLDER, FILE, OTHER):
        path.parent.mkdir()
    spoil()
    with pytest.raises(UserError, match=message), OUTPUTS.new():
        pytest.fail("the work began")
    assert not [name for name in tree(here) if ".tmp" in name]


def test_a_mount_point_is_told_before_the_work(here, monkeypatch):
    write("old")
    monkeypatch.setattr(Path, "is_mount", lambda path: path == FOLDER)
    with pytest.raises(UserError, match="data/model is a mount point"), OUTPUTS.new():
        pytest.fail("the work began")


def test_what_cannot_be_removed_is_told_and_is_in_nobody_s_way(here, monkeypatch, capsys):
    write("old")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", raising(OSError(errno.EBUSY, "busy")))
        write("new")
    (leftover,) = (here / "data").glob(".*.tmp")
    said = f"could not remove {leftover.relative_to(here)}: busy\n"
    assert capsys.readouterr() == ("", said)
    assert (here / FOLDER / "a.txt").read_text() == "new"
    write("next")
    assert tree(here) == complete("next")


def raising(error):
    def fail(*_arguments, **_options):
        raise error

    return fail


def test_folders_without_the_permission_to_write_are_told_before_the_work(here, monkeypatch):
    """Root may write anywhere, so the system's answer is given by hand."""
    open_file = os.open

    def refuse(path, *arguments, **options):
        if str(path).startswith("metrics"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_file(path, *arguments, **options)

    write("old")
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"metrics/"), OUTPUTS.new():
        pytest.fail("the work began")
    monkeypatch.undo()
    assert tree(here) == complete("old")


def test_an_old_folder_that_forbids_writing_is_replaced(here):
    write("old")
    (here / FOLDER / "deep").chmod(0o500)
    (here / FOLDER).chmod(0o500)
    write("new")
    assert tree(here) == complete("new")


def test_a_full_disk_without_a_name_names_the_outputs(here):
    with pytest.raises(OSError, match="data/model") as caught, OUTPUTS.new():
        raise OSError(errno.ENOSPC, "full")
    assert caught.value.filename == "data/model"
