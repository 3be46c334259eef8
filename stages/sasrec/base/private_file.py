"""Files of a user's cache whose content is executed: read only where nobody else can have written.

Whoever can write to a file, or to a folder above it, decides what it holds. So the file and all
folders up to the root have to be ours or root's and closed to others. A shared folder such as /tmp
is safe above ours, since there only owners may rename (its sticky bit). Content is sealed with its
SHA-256: what a full disk or a kill left half-written counts as missing.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

WAIT = 600  # seconds for another process, which may hang


class CacheError(Exception):
    """The cache cannot be used, as the message says; the program goes on without."""


def cache_folder() -> Path:
    """Where the XDG specification puts the caches of this user's `sasrec`.

    Raises:
        CacheError: the user has no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # by the specification a relative one is to be ignored
        base = os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        raise CacheError("no home folder is known")
    return Path(os.path.realpath(base), "sasrec")


class PrivateFile:
    """A file in `cache_folder` that only we can have written, with what it is for: its `key`.

    Every method raises CacheError where the file cannot be trusted, read, made or written.
    """

    def __init__(self, kind: str, key: str) -> None:
        self._seal = hashlib.sha256(key.encode()).digest()
        self._name = f"{kind}-{self._seal.hex()[:16]}"

    def read(self) -> bytes | None:
        """The content; None where there is none, or one that is damaged or for another key."""
        path = self._path()
        with _reasons(path):
            try:
                _check_owners(path.parent, path)
                sealed = path.read_bytes()
            except FileNotFoundError:
                return None
        content = sealed[hashlib.sha256().digest_size :]
        return content if sealed == self._sealed(content) else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the file's lock, and remove what a process left that was killed in `write`."""
        path = self._path()
        with _reasons(path):
            _check_owners(path.parent)
            _make_private(path.parent)
            _check_owners(path.parent)  # somebody else may have made it just now
            lock = FileLock(path.with_suffix(".lock"), timeout=WAIT, fallback_to_soft=False)
            lock.acquire()
        try:
            with _reasons(path):
                for left in path.parent.glob(f"{path.name}.*.tmp"):
                    left.unlink()
            yield
        finally:
            lock.release()

    def write(self, content: bytes) -> None:
        """Replace the content, whole or not at all; under `lock`."""
        path = self._path()
        with _reasons(path):
            descriptor, temporary = tempfile.mkstemp(".tmp", f"{path.name}.", path.parent)
            try:
                with open(descriptor, "wb") as stream:
                    stream.write(self._sealed(content))
                os.replace(temporary, path)
            finally:
                Path(temporary).unlink(missing_ok=True)

    def _path(self) -> Path:
        return cache_folder() / self._name

    def _sealed(self, content: bytes) -> bytes:
        return hashlib.sha256(self._seal + content).digest() + content


@contextmanager
def _reasons(path: Path) -> Iterator[None]:
    """What the system has against it, as CacheError."""
    try:
        yield
    except Timeout:
        raise CacheError(f"{path}: another process has held its lock for {WAIT} seconds") from None
    except OSError as error:
        where = error.filename or path
        raise CacheError(f"{where}: {error.strerror or error}") from None


def _make_private(folder: Path) -> None:
    """Make the folder and those above it that are missing, for us alone."""
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)


def _check_owners(folder: Path, *files: Path) -> None:
    """Raise CacheError if others could change the folder or its files, which may be missing."""
    if not hasattr(os, "geteuid"):  # Windows: a profile's folder is closed to others
        return
    for place in (*files, folder, *folder.parents):
        try:
            status = place.lstat()
        except FileNotFoundError:
            continue
        if status.st_uid not in (0, os.geteuid()):
            raise CacheError(f"{place} belongs to another user (uid {status.st_uid})")
        writable = status.st_mode & (stat.S_IWOTH | stat.S_IWGRP)
        if writable == stat.S_IWGRP and _is_own_group(status.st_gid):
            writable = 0
        shared_above = place in folder.parents and status.st_mode & stat.S_ISVTX
        if writable and not shared_above:
            raise CacheError(f"{place} can be written to by others")


def _is_own_group(group: int) -> bool:
    """True for a group with the name of its only member, as many systems make one a user."""
    import grp
    import pwd

    try:
        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except KeyError:
        return False
    alone = set(entry.gr_mem) <= {user.pw_name}
    return user.pw_gid == group and entry.gr_name == user.pw_name and alone
