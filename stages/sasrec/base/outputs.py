"""What a stage writes appears together, or not at all.

New files and folders are made under temporary names beside the old ones. When all are complete,
the old ones are renamed aside and the new ones take their places. A marker stands while that goes
on: whoever finds it later, because the process was killed in between, takes everything back.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from sasrec.base.errors import UserError
from sasrec.base.temporaries import (
    FULL,
    create_file,
    leftovers,
    naming,
    new_token,
    remove,
    temporary_beside,
)

OLD, MOVING = "old", "moving"


@dataclass(frozen=True)
class Outputs:
    """The files and folders that a stage writes.

    Attributes:
        name: what people call them together; the lock is named after it, and lies beside it.
    """

    name: Path
    folders: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()

    @contextmanager
    def new(self) -> Iterator[dict[Path, Path]]:
        """Yield where to write each output; all take their places when the block ends well.

        Open it before the work: it takes the lock, and finds at once what cannot be written.
        Whatever ends the block otherwise leaves everything as it was.

        Raises:
            UserError: another process is writing, or a file is where a folder must be, or the
                reverse.
        """
        with self._opened() as (token, new):
            yield new
            self._move_in(token)

    @contextmanager
    def of_children(self) -> Iterator[None]:
        """For a block in which another process opens `new`: raises now what that would raise.

        Where the block fails, so that the other process may have been killed, its temporary
        files are removed.
        """
        self._check()
        try:
            yield
        except BaseException:
            with suppress(UserError):  # somebody else has begun, and tidies up for it
                self._check()
            raise

    def _check(self) -> None:
        """Raise what `new` would raise on entering, and repair what a killed process left."""
        with self._opened():
            pass

    @contextmanager
    def _opened(self) -> Iterator[tuple[str, dict[Path, Path]]]:
        made: list[Path] = []
        try:
            _make_parents(self.name, made)
            with only_one(self.name), naming(self.name, FULL):
                for target in self._targets:  # under the lock: nobody else takes them away
                    _make_parents(target, made)
                self._repair()
                token = new_token()
                try:
                    yield token, self._create(token)
                finally:
                    self._remove_new(token)
        finally:
            for folder in reversed(made):
                _remove_if_empty(folder)

    @property
    def _targets(self) -> tuple[Path, ...]:
        return self.folders + self.files

    def _create(self, token: str) -> dict[Path, Path]:
        for target in self._targets:
            _check_kind(target, is_folder=target in self.folders)
        new = {target: temporary_beside(target, token) for target in self._targets}
        for target, temporary in new.items():
            if target in self.folders:
                temporary.mkdir()
            else:
                create_file(temporary)
        return new

    def _move_in(self, token: str) -> None:
        """Rename old ones aside and new ones in; the removal of the marker makes it final."""
        marker = temporary_beside(self.name, token, MOVING)
        marker.mkdir()
        try:
            for target in self._targets:
                if os.path.lexists(target):
                    target.rename(temporary_beside(target, token, OLD))
                temporary_beside(target, token).rename(target)
            marker.rmdir()
        except BaseException:
            self._take_back(token)
            raise
        for target in self._targets:
            remove(temporary_beside(target, token, OLD))

    def _take_back(self, token: str) -> None:
        """Undo `_move_in`, wherever it stopped, and this where it stopped."""
        for target in self._targets:
            new, old = (temporary_beside(target, token, word) for word in ("", OLD))
            if not os.path.lexists(new) and os.path.lexists(target):  # it has been moved in
                target.rename(new)
            if os.path.lexists(old):
                old.rename(target)
        temporary_beside(self.name, token, MOVING).rmdir()

    def _remove_new(self, token: str) -> None:
        """Remove what was not moved in, unless an exchange is left to be taken back."""
        if not temporary_beside(self.name, token, MOVING).exists():
            for target in self._targets:
                remove(temporary_beside(target, token))

    def _repair(self) -> None:
        """Take back an exchange that was killed, then remove what killed processes left."""
        for _, token, word in leftovers(self.name):
            if word == MOVING:
                self._take_back(token)
        for target in self._targets:
            for path, _, _ in leftovers(target):
                remove(path)


@contextmanager
def only_one(output: Path) -> Iterator[None]:
    """Hold the lock of `output` for the block: a killed `dvc repro` can leave a writer running.

    The system releases it when the process ends.

    Raises:
        UserError: another process holds it.
    """
    path = output.with_name(f".{output.name}.lock")
    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another process is writing {output}: wait for it or stop it, then run again"
        ) from None
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror} ({path})") from None
    try:
        yield
    finally:
        lock.release()


def _check_kind(target: Path, *, is_folder: bool) -> None:
    if not os.path.lexists(target) or target.is_symlink():  # a link is replaced, not followed
        return
    if is_folder and not target.is_dir():
        raise UserError(f"{target} is a file, expected a folder: move it away")
    if not is_folder and not target.is_file():
        what = "a folder" if target.is_dir() else "a device or pipe"
        raise UserError(f"{target} is {what}, expected a file: move it away")
    if target.is_mount():
        raise UserError(f"{target} is a mount point, which cannot be replaced: mount its parent")


def _make_parents(target: Path, made: list[Path]) -> None:
    """Make the folders above `target`; those that were missing are added to `made`."""
    missing = [folder for folder in target.parents if not folder.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            break  # a dangling link or a file, told below
        made.append(folder)
    for folder in reversed(target.parents):
        if not folder.is_dir():
            raise UserError(f"cannot write {target}: {folder} is not a folder")


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
