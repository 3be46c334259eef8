"""How a stage script runs: `--help`, one sentence for a user's mistake, a non-zero exit."""

import argparse
import errno
import os
import sys
from collections.abc import Callable

from sasrec.errors import UserError


def run_stage(main: Callable[[], None], description: str | None) -> None:
    """Run a stage script that takes no options; `--help` prints `description`.

    Everything that a stage can be told stands in params.yaml, so any argument is an error.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Run it from the folder of params.yaml; all its settings are there.",
    )
    parser.parse_args()
    run_main(main)


def run_main(main: Callable[[], None]) -> None:
    """Call `main`; end the process with one sentence on stderr where the user can mend it.

    Exit codes: 1 for a `UserError` or an error of the operating system that has an
    explanation (no space, no permission), 130 for Ctrl-C. A bug keeps its traceback.
    Who stops reading the output, such as `head`, ends the process without a word.
    """
    try:
        main()
    except UserError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        reason = _explain(error)
        if reason is None:
            raise
        _fail(reason)


def _explain(error: OSError) -> str | None:
    """One sentence for an error of the file system, or None if it is something else."""
    known = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)
    if error.errno not in known:
        return None
    where = f" ({error.filename})" if error.filename else ""
    return f"cannot write or read a file: {os.strerror(error.errno)}{where}"


def _fail(message: str) -> None:
    name = os.path.basename(sys.argv[0])
    print(f"{name}: error: {message}", file=sys.stderr)
    sys.exit(1)
