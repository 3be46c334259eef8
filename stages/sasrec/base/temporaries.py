"""Temporary files and folders beside what they will replace, under names that nobody can guess."""

import errno
import os
import re
import secrets
import shutil
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

# `.NAME.0a1b2c3d.tmp` beside NAME; git ignores it. A word may stand before `.tmp`.
TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<token>[0-9a-f]{8})(?P<word>\.[a-z]+)?\.tmp")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def new_token() -> str:
    """What makes a name unpredictable, so that no link can be planted under it."""
    return secrets.token_hex(4)


def temporary_beside(path: Path, token: str, word: str = "") -> Path:
    """The temporary name of `path` with this token."""
    return path.with_name(f".{path.name}.{token}{word and '.' + word}.tmp")


def create_file(path: Path) -> None:
    """Create an empty file where nothing is, not even a link; its mode follows the umask."""
    os.close(os.open(os.fspath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def final_path(path: str | Path) -> Path:
    """The name under which a file ends that is written to a temporary one, or lies in one."""
    parts = []
    for part in Path(path).parts:
        match = TEMPORARY.fullmatch(part)
        parts.append(match["name"] if match else part)
    return Path(*parts)


def is_temporary(path: Path) -> bool:
    """True for a temporary name and for what lies in a temporary folder."""
    return any(TEMPORARY.fullmatch(part) for part in path.parts)


def leftovers(path: Path) -> list[tuple[Path, str, str]]:
    """What lies beside `path` under temporary names of it, each with its token and its word."""
    if not path.parent.is_dir():
        return []
    matches = ((one, TEMPORARY.fullmatch(one.name)) for one in sorted(path.parent.iterdir()))
    return [
        (one, match["token"], (match["word"] or "").removeprefix("."))
        for one, match in matches
        if match and match["name"] == path.name
    ]


def remove(path: Path) -> None:
    """Remove a file, a link (not what it points to) or a folder; nothing where nothing is.

    What cannot be removed, such as the folder of another user, is only told: it is in nobody's
    way, and the next run tries again.
    """
    if not os.path.lexists(path):
        return
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, onerror=_unlock)  # `onexc` came with Python 3.12
        else:
            path.unlink()
    except OSError as error:
        print(f"could not remove {path}: {error.strerror}", file=sys.stderr)


def _unlock(_function: object, path: str, problem: tuple[object, BaseException, object]) -> None:
    """Remove what a folder without the permission to write holds, by giving the permission."""
    parent = os.path.dirname(path) if not os.path.isdir(path) else path
    try:
        os.chmod(parent, 0o700)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    except OSError:
        raise problem[1] from None


@contextmanager
def naming(path: Path, codes: Collection[int] | None = None) -> Iterator[None]:
    """Have an error of writing name `path`, where the system or a library leaves the name out.

    Args:
        codes: the error numbers that are meant; None: all.
    """
    try:
        yield
    except OSError as error:
        code = error.errno
        # numpy reports a short write without an error number; what it means is a full disk.
        if code is None and re.search(r"requested and \d+ written", str(error)):
            code = errno.ENOSPC
        if code is None or (codes is not None and code not in codes):
            raise
        if code in FULL and error.filename2 is not None:  # a copy names what it reads from first
            raise OSError(code, os.strerror(code), os.fspath(error.filename2)) from error
        if error.filename is None:
            raise OSError(code, os.strerror(code), str(final_path(path))) from error
        raise
