"""What a process that trains together with others says to the one that started it.

A pipe connects the two (machine/processes.py). When it breaks, the parent is gone, and with it
who would end us.
"""

import json
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NoReturn, Self

PIPE = "SASREC_PARENT_PIPE"  # the environment variable that holds the pipe's file descriptor


@dataclass(frozen=True)
class Parent:
    """The process that started this one to train together with others."""

    pipe: Connection

    @classmethod
    def from_environment(cls) -> Self | None:
        """The parent, if there is one; from then on this process ends when the parent does."""
        descriptor = os.environ.pop(PIPE, None)  # not for processes that this one starts
        if descriptor is None:
            return None
        parent = cls(Connection(int(descriptor)))
        threading.Thread(target=parent._end_with_it, daemon=True).start()
        return parent

    def tell(self, sentence: str | None, trace: str) -> NoReturn:
        """Say why this process fails, and wait to be ended.

        Whoever just ended would break its connections, and every other process would fail for
        that, each with an error of its own.
        """
        self.pipe.send_bytes(json.dumps({"sentence": sentence, "trace": trace}).encode())
        while True:
            signal.pause()

    def _end_with_it(self) -> None:
        self.pipe.poll(None)  # the parent says nothing: what ends the wait is the pipe's end
        os.killpg(0, signal.SIGKILL)  # also what this process started: it leads its group
