"""A cache file is read only where nobody else can have written it, and whole."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from places import STAGES

from sasrec.base import private_file
from sasrec.base.private_file import CacheError, PrivateFile, cache_folder

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A private cache, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(content=b"code", key="key"):
    file = PrivateFile("loops", key)
    with file.lock():
        file.write(content)
    (path,) = (path for path in cache_folder().iterdir() if path.suffix != ".lock")
    return file, path


def test_what_was_written_is_read_for_the_same_key(cache):
    assert PrivateFile("loops", "key").read() is None
    assert not cache.exists()
    file, path = kept()
    assert file.read() == PrivateFile("loops", "key").read() == b"code"
    assert PrivateFile("loops", "other").read() is None
    kept(b"newer")
    assert file.read() == b"newer"
    path.rename(PrivateFile("loops", "other")._path())
    assert PrivateFile("loops", "other").read() is None


def test_only_we_can_read_what_was_made(cache):
    before = os.umask(0)
    try:
        _, path = kept()
    finally:
        os.umask(before)
    modes = [place.stat().st_mode & 0o777 for place in (cache, cache / "sasrec", path)]
    assert modes == [0o700, 0o700, 0o600]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sealed: b"",
        lambda sealed: sealed[:-1],
        lambda sealed: sealed[:7],
        lambda sealed: sealed + b"x",
        lambda sealed: sealed[:-2] + b"xx",
        lambda sealed: bytes(len(sealed)),
    ],
)
def test_a_damaged_file_counts_as_missing_and_is_replaced(cache, spoil):
    file, path = kept()
    path.write_bytes(spoil(path.read_bytes()))
    assert file.read() is None
    kept()
    assert file.read() == b"code"


@pytest.mark.parametrize(
    ("xdg", "home", "expected"),
    [
        ("/somewhere", "/home/me", "/somewhere/sasrec"),
        (None, "/home/me", "/home/me/.cache/sasrec"),
        ("", "/home/me", "/home/me/.cache/sasrec"),
        ("caches", "/home/me", "/home/me/.cache/sasrec"),
        ("~/caches", "/home/me", "/home/me/.cache/sasrec"),
    ],
)
def test_where_caches_are(xdg, home, expected, monkeypatch):
    monkeypatch.setenv("HOME", home)
    if xdg is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert str(cache_folder()) == expected


def test_a_home_that_is_relative(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "home")
    with pytest.raises(CacheError, match="no home folder is known"):
        PrivateFile("loops", "key").read()


def test_no_home_of_an_unknown_user(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it does then
    with pytest.raises(CacheError, match="no home folder is known"), PrivateFile("x", "y").lock():
        pytest.fail("locked")


def refused(file, reason):
    """`file` can neither be read nor locked."""
    with pytest.raises(CacheError, match=reason):
        file.read()
    with pytest.raises(CacheError, match=reason), file.lock():
        pytest.fail("locked")


@pytest.mark.parametrize("place", [".", "cache", "cache/sasrec"])
@pytest.mark.parametrize("mode", [0o777, 0o702, 0o770])
def test_folders_that_others_can_write_to(cache, tmp_path, place, mode, monkeypatch):
    monkeypatch.setattr(private_file, "_is_own_group", lambda group: False)
    file, _ = kept()
    (tmp_path / place).chmod(mode)
    refused(file, f"{(tmp_path / place).resolve()} can be written to by others")


def test_a_file_that_others_can_write_to(cache):
    file, path = kept()
    path.chmod(0o606)
    with pytest.raises(CacheError, match=f"{path} can be written to by others"):
        file.read()
    kept()  # which replaces it
    assert file.read() == b"code"


def test_a_shared_folder_above_ours_is_safe_where_only_owners_may_rename(cache, tmp_path):
    tmp_path.chmod(0o1777)
    file, _ = kept()
    assert file.read() == b"code"
    cache.chmod(0o1777)
    assert file.read() == b"code"
    (cache / "sasrec").chmod(0o1777)  # there others could have made the file
    refused(file, "sasrec can be written to by others")


def test_nothing_is_made_in_a_folder_that_others_can_write_to(cache):
    cache.mkdir()
    cache.chmod(0o777)
    refused(PrivateFile("loops", "key"), "can be written to")
    assert not list(cache.iterdir())


def test_a_group_of_our_own_may_write(cache, monkeypatch):
    file, path = kept()
    cache.chmod(0o770)
    monkeypatch.setattr(private_file, "_is_own_group", lambda group: group == path.stat().st_gid)
    assert file.read() == b"code"
    cache.chmod(0o707)
    refused(file, "can be written to")


@needs_root
@pytest.mark.parametrize("place", ["cache", "cache/sasrec"])
def test_folders_of_others(cache, tmp_path, place):
    file, _ = kept()
    os.chown(tmp_path / place, 12345, 12345)
    refused(file, r"belongs to another user \(uid 12345\)")


@needs_root
def test_a_file_of_another(cache):
    file, path = kept()
    os.chown(path, 12345, 12345)
    with pytest.raises(CacheError, match=r"belongs to another user \(uid 12345\)"):
        file.read()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_file_where_a_folder_belongs(cache, depth):
    place = [cache.parent / "cache", cache / "sasrec", PrivateFile("loops", "key")._path()][depth]
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if depth == 2:
        place.mkdir()
        with pytest.raises(CacheError, match="Is a directory"):
            PrivateFile("loops", "key").read()
    else:
        place.write_text("a file")
        refused(PrivateFile("loops", "key"), "Not a directory|File exists")


def test_a_full_disk_leaves_what_was_there(cache):
    """A limit on the size of files stands in for it."""
    file, path = kept()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(CacheError, match=f"{path}.*: File too large"), file.lock():
            file.write(bytes(10**4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert file.read() == b"code"
    assert {left.suffix for left in path.parent.iterdir()} == {"", ".lock"}


def test_what_a_killed_process_left_is_removed(cache):
    file, path = kept()
    left = path.with_name(f"{path.name}.abc.tmp")
    other = path.with_name("tests-0123.abc.tmp")
    left.write_text("half")
    other.write_text("of another file")
    with file.lock():
        assert not left.exists()
    assert other.exists()
    assert file.read() == b"code"


def test_another_process_that_hangs_is_not_waited_for_for_ever(cache, monkeypatch):
    file, _ = kept()
    monkeypatch.setattr(private_file, "WAIT", 0.1)
    with (
        file.lock(),
        pytest.raises(CacheError, match="another process has held its lock"),
        PrivateFile("loops", "key").lock(),
    ):
        pytest.fail("two at a time")
    with file.lock():
        pass


@needs_root
def test_a_complete_cache_that_cannot_be_written_to(cache):
    """As another user, for whom root's cache is read-only."""
    as_other = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", sys.executable]
    source = str(Path(private_file.__file__).parent)
    if subprocess.run(
        [*as_other, "-c", f"import os; os.listdir({source!r})"], check=False
    ).returncode:
        pytest.skip("another user cannot run Python or read the sources here")
    _, path = kept()
    for place in [path, *path.parents]:
        if place.is_relative_to(tempfile.gettempdir()) and place != Path(tempfile.gettempdir()):
            place.chmod(0o755)
    code = (
        "from sasrec.base.private_file import *\n"
        "file = PrivateFile('loops', 'key')\nprint(file.read())"
        "\ntry:\n    with file.lock(): pass\nexcept CacheError as error: print(error)"
    )
    finished = subprocess.run(
        [*as_other, "-c", code],
        env=os.environ | {"PYTHONPATH": str(STAGES)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout.splitlines()[0] == "b'code'", finished.stderr
    assert "Permission denied" in finished.stdout.splitlines()[1]
