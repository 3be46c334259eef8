"""One training at a time in a folder: a killed `dvc repro` can leave its trainer running."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sasrec.errors import UserError


@contextmanager
def only_one(output: Path, hold: bool = True) -> Iterator[None]:
    """Hold the lock of `output` for the block; the system releases it when the process ends.

    With `hold` False nothing is held: for the processes that do not write.

    Raises:
        UserError: another process holds it.
    """
    if not hold:
        yield
        return
    path = output.with_name(f".{output.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=0):
            yield
    except Timeout:
        raise UserError(
            f"another process is writing {output}: wait for it or stop it, then run again"
        ) from None
