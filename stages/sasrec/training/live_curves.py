"""Curves that can be looked at while training runs, by `dvc plots` or an editor."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.base.files import new_file, write_csv
from sasrec.training.fitting import Progress
from sasrec.training.records import curves
from sasrec.training.trainer import Trainer

SECONDS = 1.0  # between two writings, at least


class LiveCurves:
    """Writes the curves so far; a watcher of epochs. What cannot be written is not there.

    Args:
        paths: of `training` and `validation`, as `curves` names them.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._due = 0.0

    def __call__(self, trainer: Trainer, progress: Progress) -> None:
        """After an epoch."""
        if progress.refitted or time.monotonic() < self._due:
            return
        for name, curve in curves(progress.history).items():
            if curve.empty:
                continue
            try:
                write_csv(self._paths[name], curve)
            except (OSError, UserError):  # the stage fails for it when it writes its outputs
                return
        self._due = time.monotonic() + SECONDS

    @contextmanager
    def until_replaced(self) -> Iterator[None]:
        """Where the block fails, what stood there before it takes its place again."""
        before = {
            path: path.read_bytes() if path.is_file() else None for path in self._paths.values()
        }
        try:
            yield
        except BaseException:
            for path, content in before.items():
                _put_back(path, content)
            raise


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif not path.is_file() or path.read_bytes() != content:
        with new_file(path) as temporary:
            temporary.write_bytes(content)
