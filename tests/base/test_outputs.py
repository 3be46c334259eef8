"""What a stage writes appears together or not at all, whoever is killed, and by one at a time."""

import errno
import itertools
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from places import HELPERS, STAGES

from sasrec.base.errors import UserError
from sasrec.base.outputs import Outputs

FOLDER, FILE, OTHER = Path("data/model"), Path("metrics/train.json"), Path("plots/curve.png")
OUTPUTS = Outputs(FOLDER, folders=(FOLDER,), files=(FILE, OTHER))


def write(text, outputs=OUTPUTS):
    with outputs.new() as new:
        fill(new, text)


def fill(new, text):
    (new[FOLDER] / "a.txt").write_text(text)
    (new[FOLDER] / "deep").mkdir()
    new[FILE].write_text(text)
    new[OTHER].write_text(text)


def write_and_raise(text, error):
    with OUTPUTS.new() as new:
        fill(new, text)
        raise error


def tree(folder):
    """Every file and folder below `folder` but locks, temporary ones too, and what files hold."""
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in folder.rglob("*")
        if path.suffix != ".lock"
    }


def complete(text):
    return {
        **{"data": None, "metrics": None, "plots": None},
        **{"data/model": None, "data/model/deep": None},
        **dict.fromkeys(("data/model/a.txt", "metrics/train.json", "plots/curve.png"), text),
    }


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


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("error", [PermissionError(errno.EPERM, "no"), KeyboardInterrupt()])
def test_an_exchange_that_fails_is_taken_back(here, monkeypatch, number, error):
    """Three old ones are renamed aside and three new ones in; one of these fails."""
    write("old")
    rename, count = Path.rename, itertools.count()

    def failing(self, target):
        if next(count) == number:
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(type(error)):
        write("new")
    assert tree(here) == complete("old")


@pytest.mark.parametrize("number", range(1, 6))
def test_an_exchange_that_cannot_be_taken_back_is_by_the_next(here, monkeypatch, number):
    """From some moment on nothing can be renamed, as when a disk is mounted read-only."""
    write("old")
    rename, count = Path.rename, itertools.count()

    def failing(self, target):
        if next(count) >= number:
            raise OSError(errno.EROFS, "no")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(OSError, match="no"):
            write("new")
    with pytest.raises(RuntimeError):
        write_and_raise("unused", RuntimeError)
    assert tree(here) == complete("old")


KILLED = """
import os, sys
from pathlib import Path
from test_outputs import OUTPUTS, fill
steps, stop = 0, int(sys.argv[1])
def count(real):
    def step(*arguments, **options):
        global steps
        if steps == stop:
            os._exit(9)
        steps += 1
        return real(*arguments, **options)
    return step
for name in ("rename", "mkdir", "rmdir", "unlink"):
    setattr(Path, name, count(getattr(Path, name)))
with OUTPUTS.new() as new:
    fill(new, "new")
"""


def kill_at(folder, step):
    """Write in a process that ends without a word before its step number `step`."""
    path = os.pathsep.join([str(STAGES), str(HELPERS)])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(step)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        check=False,
    )
    return done.returncode


@pytest.mark.parametrize("missing", [(), (FILE,), (FOLDER,), (FOLDER, FILE, OTHER)])
def test_a_killed_process_is_repaired_by_the_next(here, missing):
    """Killed at each step in turn; what was missing before is missing again after the repair."""
    killed = 0
    for step in range(1, 40):
        for path in here.iterdir():
            shutil.rmtree(path)
        write("old")
        for path in missing:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        before = tree(here)
        if kill_at(here, step) == 0:
            break
        killed += 1
        with pytest.raises(RuntimeError):
            write_and_raise("unused", RuntimeError)
        assert tree(here) in (before, complete("new")), step
        write("next")
        assert tree(here) == complete("next"), step
    assert killed >= 7


def test_only_one_at_a_time(here):
    with OUTPUTS.new() as new:
        fill(new, "first")
        before = tree(here)
        with pytest.raises(UserError, match="another process is writing data/model: wait for it"):
            write("second")
        assert tree(here) == before
    assert tree(here) == complete("first")


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


def test_a_link_as_the_lock_is_not_followed(here):
    (here / "victim").write_text("mine")
    (here / "data").mkdir()
    (here / "data/.model.lock").symlink_to(here / "victim")
    with pytest.raises(UserError, match=r"cannot write data/model: .*\.model\.lock"):
        write("new")
    assert (here / "victim").read_text() == "mine"


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


def test_what_other_processes_keep_beside_it_stays(here):
    write("old")
    kept = ["data/.other.0a1b2c3d.tmp", "data/.model.tmp", "data/.model.0a1b2c3d.txt", "data/x"]
    for name in kept:
        (here / name).write_text("kept")
    write("new")
    assert tree(here) == complete("new") | dict.fromkeys(kept, "kept")


@pytest.mark.parametrize("fails", [True, False])
def test_a_block_whose_child_writes(here, fails):
    """The parent finds what is wrong before it starts, and tidies up when it failed."""
    with OUTPUTS.new(), pytest.raises(UserError, match="another process"), OUTPUTS.of_children():
        pytest.fail("the child was started")
    if not fails:
        with OUTPUTS.of_children():
            write("child")
        assert tree(here) == complete("child")
        return

    def be_interrupted():
        with OUTPUTS.of_children():
            assert kill_at(here, 8) == 9
            assert [name for name in tree(here) if ".tmp" in name]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert not [name for name in tree(here) if ".tmp" in name]
