"""How a script runs: `--help`, one sentence for a user's mistake, a non-zero exit."""

import argparse
import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import (
    EACCES,
    EBUSY,
    EDQUOT,
    EFBIG,
    EIO,
    EISDIR,
    ELOOP,
    EMFILE,
    ENAMETOOLONG,
    ENOMEM,
    ENOSPC,
    ENOTDIR,
    EPERM,
    EROFS,
    ETXTBSY,
)
from types import FrameType, TracebackType
from typing import NoReturn

from sasrec.base.errors import UserError, printable
from sasrec.base.parent import Parent
from sasrec.base.temporaries import final_path

# What the system says no to for a reason that lies with the machine, not in our code.
FILE_ERRORS = {
    *(ENOSPC, EDQUOT, EFBIG, EACCES, EPERM, EROFS, EIO, EBUSY, ETXTBSY),
    *(ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG, EMFILE),
}
# What torch and numpy say where memory, or the numbers that count it, end.
NO_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|out of memory|calculation overflowed"
    r"|array is too big|allowed dimension exceeded",
    re.IGNORECASE,
)
ASKED = re.compile(r"[Tt]ried to allocate ([\d.,]+ \w+)")


def _end_in_a_line(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print what ends a script: for Ctrl-C one line, as `run_main` does."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


# Scripts import for seconds, most of them after this module, and `run_main` cannot catch it yet.
sys.excepthook = _end_in_a_line


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a script as Ctrl-C does."""


def run_stage(main: Callable[[], None], description: str | None) -> None:
    """Run a stage script that takes no options; `--help` prints `description`.

    Everything that a stage can be told stands in params.yaml, so any argument is an error.
    """
    _print_anywhere()
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Run it from the folder of params.yaml; all its settings are there.",
    )
    parser.parse_args()
    run_main(main)


def run_main(main: Callable[[], None], *, failed: int = 1) -> None:
    """Call `main`; end the process with one sentence on stderr where the user can mend it.

    Exit codes: `failed` for a `UserError`, for memory that does not suffice, and for an error of
    the operating system that has an explanation (no space, no permission); 130 for Ctrl-C and 143
    for SIGTERM, with the text of the KeyboardInterrupt or "interrupted". A bug keeps its
    traceback. Who stops reading the output, such as `head`, ends the process without a word. A
    process that another one started to train with (parent.py) tells that one instead.
    """
    _print_anywhere()
    parent = Parent.from_environment()
    try:
        with _raising_terminated(unless=parent is not None):
            main()
        _flush()
    except KeyboardInterrupt as stop:
        print(printable(str(stop) or "interrupted"), file=sys.stderr)
        sys.exit(128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT))
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        _drop_output()
        sys.exit(failed)
    except Exception as error:
        sentence = _explain(error)
        if parent is not None:
            parent.tell(sentence, traceback.format_exc())
        if sentence is None:
            raise
        _fail(sentence, failed)


@contextmanager
def _raising_terminated(*, unless: bool) -> Iterator[None]:
    """Let SIGTERM raise `Terminated` in the block, so that what is to be tidied is.

    Args:
        unless: for a process whose parent tidies up for it, so that it ends at once.
    """
    if unless or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _print_anywhere() -> None:
    """What the terminal's encoding lacks is printed escaped, instead of failing the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Write out what was printed, so that a full disk behind it is told as any other."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        raise OSError(error.errno, os.strerror(error.errno or 0), "standard output") from None


def _drop_output() -> None:
    """Let what is still to be printed go nowhere, or Python complains of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: Exception) -> str | None:
    """One sentence for what the user can mend, or None for a bug."""
    text = str(error)
    if isinstance(error, UserError):
        return text
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError | ValueError) and NO_MEMORY.search(text)
    ):
        return f"not enough memory: {_what_was_asked(text)}"
    if not isinstance(error, OSError):
        return None
    if error.errno == ENOMEM:
        return f"not enough memory: {os.strerror(ENOMEM)}"
    if error.errno not in FILE_ERRORS:
        return None
    where = f" ({final_path(os.fsdecode(error.filename))})" if _has_name(error) else ""
    return f"cannot write or read a file: {os.strerror(error.errno)}{where}"


def _has_name(error: OSError) -> bool:
    return isinstance(error.filename, str | bytes | os.PathLike)


def _what_was_asked(text: str) -> str:
    """The size in torch's message, or the message (numpy's is a sentence)."""
    asked = ASKED.search(text)
    if asked:
        return f"a block of {asked[1]} was asked for"
    return " ".join(text.split()).rstrip(".") or "the system gave no more"


def _fail(message: str, code: int) -> NoReturn:
    name = os.path.basename(sys.argv[0])
    print(printable(f"{name}: error: {message}"), file=sys.stderr)
    sys.exit(code)
