"""What a stage that failed or was killed had begun is taken back; one at a time writes."""

import errno
import itertools
import shutil
from pathlib import Path

import pytest
from toy_outputs import (
    FILE,
    FOLDER,
    OTHER,
    OUTPUTS,
    complete,
    fill,
    kill_at,
    tree,
    write,
    write_and_raise,
)

from sasrec.base.errors import UserError


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


def test_a_link_as_the_lock_is_not_followed(here):
    (here / "victim").write_text("mine")
    (here / "data").mkdir()
    (here / "data/.model.lock").symlink_to(here / "victim")
    with pytest.raises(UserError, match=r"cannot write data/model: .*\.model\.lock"):
        write("new")
    assert (here / "victim").read_text() == "mine"


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
