"""One process at a time writes what a stage writes: a killed `dvc repro` can leave one running."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sasrec.base.errors import UserError


@contextmanager
def only_one(output: Path) -> Iterator[None]:
    """Hold the lock of `output` for the block; the system releases it when the process ends.

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
