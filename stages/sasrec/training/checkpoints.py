"""Files from which an interrupted training goes on, in .cache/checkpoints/ of the main checkout.

They are no output of the stage: DVC removes outputs before it runs a stage, and throws the folder
of a queued experiment away. A file is named after its training's identity, so it is found by the
very same training alone. It is safetensors, with JSON in its header: to read it runs nothing. What
a full disk, a kill or somebody else left in its place is told by its checksum, and not used.

Whoever has the lock of an identity alone writes its file, and removes what a killed process left.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sasrec.base.checkout import main_checkout
from sasrec.base.temporaries import leftovers, new_token, remove, temporary_beside

FOLDER = Path(".cache/checkpoints")
KEPT, KEPT_DAYS = 3, 14  # of other trainings: the latest ones
SHARE = 20  # writing takes at most such a part of the time

Identity = dict[str, str]  # what decides a training's result: the digest of each thing by its name


class Content(NamedTuple):
    """Of a checkpoint: arrays, and what is written as JSON."""

    tensors: dict[str, Tensor]
    facts: dict[str, object]


class Checkpoints:
    """The checkpoint of the training that `identity` names, of which one at a time is written.

    Nothing here makes a training fail: what cannot be read or written is told, once.

    Args:
        report: told what goes wrong, and why no checkpoint is there.
    """

    def __init__(self, identity: Identity, report: Callable[[str], None]) -> None:
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.path = main_checkout() / FOLDER / f"{name}.safetensors"
        self._identity = identity
        self._report = report
        self._lock: FileLock | None = None
        self._told = False
        self._due = 0.0

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Hold the lock for the block, if nobody else has it; without it nothing is written."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _taken(self.path)
            if self._lock is None:
                self._report("Mind: another process trains the very same, and keeps checkpoints")
            else:
                _remove_leftovers(self.path)
                self._tidy()
        except OSError as error:
            self._tell(error)
        try:
            yield
        finally:
            if self._lock:
                if not self.path.exists():
                    remove(self.path.with_suffix(".lock"))
                self._lock.release()

    def read(self) -> Content | None:
        """What was last written, None where there is none that can be used."""
        if self._lock is None:
            return None
        if not self.path.is_file():
            self._tell_of_others()
            return None
        try:
            return _read(self.path, self._identity)
        except (OSError, SafetensorError, ValueError) as error:
            reason = " ".join(str(error).split())
            self._report(f"{self.path} is no checkpoint of this training: {reason}; it is left out")
            return None

    def write(self, content: Content) -> bool:
        """Keep `content` instead of what was kept before; False where that was too little ago."""
        if self._lock is None or time.monotonic() < self._due:
            return False
        started = time.monotonic()
        try:
            _write(self.path, self._identity, content)
        except (OSError, SafetensorError) as error:
            self._tell(error)
            return False
        finally:
            ended = time.monotonic()
            self._due = ended + (SHARE - 1) * (ended - started)
        return True

    def remove(self) -> None:
        """The training is complete: nothing goes on from here."""
        if self._lock:
            remove(self.path)

    def _tell(self, error: Exception) -> None:
        if not self._told:
            self._report(f"Mind: no checkpoint is kept: {error}")
        self._told = True

    def _tell_of_others(self) -> None:
        """Say why the latest interrupted training, if there is one, is not gone on with."""
        for path in _others(self.path):
            lock = _taken(path)
            if lock is None:  # it goes on by itself
                continue
            lock.release()
            try:
                with safe_open(path, "pt") as file:
                    identity = json.loads((file.metadata() or {})["identity"])
                names = [name for name, own in self._identity.items() if identity[name] != own]
            except (OSError, SafetensorError, ValueError, KeyError, TypeError):
                continue
            self._report(
                f"a training that was interrupted ({path}) is another one by its "
                f"{' and '.join(names)}: this one starts anew"
            )
            return

    def _tidy(self) -> None:
        """Remove checkpoints of other trainings that are old, or more than some."""
        oldest = time.time() - KEPT_DAYS * 24 * 3600
        for number, path in enumerate(_others(self.path)):
            if number < KEPT and path.stat().st_mtime > oldest:
                continue
            lock = _taken(path)
            if lock:
                _remove(path)
                lock.release()


def _taken(path: Path) -> FileLock | None:
    """The lock of a checkpoint, which the system releases with the process; None: another's."""
    lock = FileLock(path.with_suffix(".lock"), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def _others(path: Path) -> list[Path]:
    """The other checkpoints beside `path`, the latest first."""
    others = [one for one in path.parent.glob("*.safetensors") if one != path and one.is_file()]
    return sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)


def _remove(path: Path) -> None:
    """Remove a checkpoint and all that lies beside it for its sake; under its lock."""
    remove(path)
    _remove_leftovers(path)
    remove(path.with_suffix(".lock"))


def _remove_leftovers(path: Path) -> None:
    for left, _, _ in leftovers(path):
        remove(left)


def _write(path: Path, identity: Identity, content: Content) -> None:
    tensors = {name: tensor.cpu() for name, tensor in content.tensors.items()}
    facts = json.dumps(content.facts)
    metadata = {"identity": json.dumps(identity), "facts": facts}
    metadata["checksum"] = str(_checksum(tensors, facts))
    folder = temporary_beside(path, new_token())  # save_file has temporary names of its own
    folder.mkdir()
    try:
        save_file(tensors, folder / path.name, metadata)
        with (folder / path.name).open("rb+") as stream:
            os.fsync(stream.fileno())  # on the disk before it takes the old one's place
        (folder / path.name).replace(path)
    finally:
        remove(folder)


def _read(path: Path, identity: Identity) -> Content:
    """Raises: OSError, SafetensorError or ValueError, if it is not what was written for this."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    if json.loads(metadata.get("identity", "null")) != identity:
        raise ValueError("it is of another one")
    tensors, facts = load_file(path), metadata.get("facts", "")
    if metadata.get("checksum") != str(_checksum(tensors, facts)):
        raise ValueError("it is damaged")
    return Content(tensors, json.loads(facts))


def _checksum(tensors: dict[str, Tensor], facts: str) -> int:
    value = zlib.crc32(facts.encode())
    for name, tensor in sorted(tensors.items()):
        value = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), value)
        flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
        value = zlib.crc32(flat.numpy(), value)
    return value
