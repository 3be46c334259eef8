"""Running this very script in several processes that end together: all well, or none goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

from sasrec.base.errors import UserError
from sasrec.base.parent import PIPE

# Seconds that the others have, after the first failure, to tell theirs: a process may well fail
# only because another one was killed.
GRACE = 1.0


class Failure(NamedTuple):
    """Why a process failed. The first that applies says most: they are ordered so.

    Attributes:
        kind: 0 killed, 1 a sentence, 2 ended otherwise, 3 a bug.
    """

    kind: int
    number: int
    text: str


@dataclass(frozen=True)
class Child:
    """A process, counted from 1, and the pipe on which it tells a failure."""

    number: int
    process: subprocess.Popen[bytes]
    pipe: Connection

    @classmethod
    def start(cls, number: int, environment: Mapping[str, str]) -> "Child":
        """Start this script again, at the head of a process group of its own.

        So that it can be ended with all that it starts, and Ctrl-C reaches only the parent.
        """
        ours, its = Pipe()
        process = subprocess.Popen(
            [sys.executable, *sys.argv],
            env={**os.environ, **environment, PIPE: str(its.fileno())},
            pass_fds=[its.fileno()],
            process_group=0,
        )
        its.close()
        return cls(number, process, ours)

    def outcome(self) -> Failure | None:
        """After the pipe has something, or has broken: why the process failed, None if not."""
        try:
            told = json.loads(self.pipe.recv_bytes())
        except (EOFError, ConnectionError):
            code = self.process.wait()
            if code == 0:
                return None
            if code < 0:
                return Failure(0, self.number, f"was killed by {signal.Signals(-code).name}")
            return Failure(2, self.number, f"ended with exit code {code}")
        if told["sentence"] is not None:
            return Failure(1, self.number, told["sentence"])
        return Failure(3, self.number, told["trace"])

    def end(self) -> None:
        """End it and all that it started."""
        for number, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError, PermissionError):  # all of them have ended
                os.killpg(self.process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
        self.pipe.close()


def run_processes(environments: Sequence[Mapping[str, str]]) -> None:
    """Run this script once with each of these additions to the environment, at the same time.

    Raises:
        UserError: one of them failed. All have ended then, as after any other exception.
    """
    children: list[Child] = []
    try:
        for number, environment in enumerate(environments, 1):
            children.append(Child.start(number, environment))
        failures = _wait(children)
    finally:
        for child in children:
            child.end()
    if failures:
        raise UserError(_describe(min(failures), len(children)))


def _wait(children: list[Child]) -> list[Failure]:
    """Wait until all have ended well, or for as many failures as come in the time of grace."""
    pending = {child.pipe: child for child in children}
    failures: list[Failure] = []
    deadline = None
    while pending:
        left = None if deadline is None else max(0, deadline - time.monotonic())
        ready = wait(list(pending), left)
        if not ready:
            break
        for pipe in ready:
            failure = pending.pop(pipe).outcome()
            if failure is not None:
                failures.append(failure)
                deadline = deadline or time.monotonic() + GRACE
    return failures


def _describe(failure: Failure, count: int) -> str:
    who = f"process {failure.number} of {count}"
    if failure.kind == 1:
        return failure.text
    if failure.kind == 3:
        print(failure.text, end="", file=sys.stderr)
        return f"{who} failed, see above"
    return f"{who} {failure.text}, so training was ended"
