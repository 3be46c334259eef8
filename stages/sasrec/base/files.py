"""Reading and writing files, whole or not at all; what is wrong with one is a sentence."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError

from sasrec.base.errors import UserError
from sasrec.base.temporaries import (
    create_file,
    is_temporary,
    naming,
    new_token,
    remove,
    temporary_beside,
)

M = TypeVar("M", bound=BaseModel)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; what is written takes the place of `path` when the block ends well.

    A link stays: what it points to is replaced. A device or pipe is written to. What already has
    a temporary name (outputs.py) is written straight.

    Raises:
        UserError: `path` is a folder.
    """
    with naming(path):
        if is_temporary(path):
            yield path
            return
        target = _follow_links(path)
        if target.is_dir():
            raise UserError(f"{path} is a folder, expected a file")
        if _is_stream(target):
            with _poured_into(target) as temporary:
                yield temporary
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(target, new_token())
        create_file(temporary)
        try:
            yield temporary
            temporary.replace(target)
        finally:
            remove(temporary)


def _follow_links(path: Path) -> Path:
    """What a link points to in the end; but a process's own stream (/dev/stdout) stays one."""
    for _ in range(40):  # as many as the system follows
        if not path.is_symlink() or _is_in_proc(path):
            break
        path = path.parent / path.readlink()
    return path


def _is_in_proc(path: Path) -> bool:
    return Path(os.path.realpath(path.parent)).parts[:2] == ("/", "proc")


def _is_stream(path: Path) -> bool:
    return _is_in_proc(path) or (path.exists() and not path.is_file())


@contextmanager
def _poured_into(stream: Path) -> Iterator[Path]:
    """Yield a path whose content goes into a device or pipe when the block ends well."""
    with tempfile.TemporaryDirectory() as folder:
        temporary = Path(folder) / "content"
        yield temporary
        sys.stdout.flush()
        # Our own standard output is continued: opened anew, a file would be written from its start.
        own = next((fd for fd in (1, 2) if os.path.samestat(os.stat(stream), os.fstat(fd))), None)
        with (
            temporary.open("rb") as content,
            open(stream if own is None else os.dup(own), "wb") as target,
        ):
            shutil.copyfileobj(content, target)


@contextmanager
def _reading(path: Path, stage: str | None) -> Iterator[None]:
    """Say what is wrong where there is no file to read.

    Args:
        stage: that writes it.
    """
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path} not found: run {_script(stage)} first") from None
    except NotADirectoryError:
        blocking = next(parent for parent in reversed(path.parents) if parent.is_file())
        raise UserError(f"{path} not found: {blocking} is a file, expected a folder") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder, expected a file") from None


def _script(stage: str | None) -> str:
    return f"`python stages/{stage}.py`" if stage else "the stage that writes it"


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON with a final newline. NaN is refused (not JSON)."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path, stage: str | None = None) -> dict[str, Any]:
    """The object in a JSON file that an earlier stage wrote.

    Raises:
        UserError: the file is missing, is not JSON, or holds no object.
    """
    try:
        with _reading(path, stage):
            content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON: {error}; {_again(stage)}") from None
    if not isinstance(content, dict):
        kind = {list: "a list", str: "a text", type(None): "null"}.get(type(content), "a number")
        raise UserError(f"{path} holds {kind}, expected an object; {_again(stage)}")
    return content


def read_json_as(path: Path, kind: type[M], stage: str) -> M:
    """What `stage` wrote as JSON, checked against `kind`.

    Raises:
        UserError: as `read_json`, or a key is missing, of another type or out of range.
    """
    try:
        return kind.model_validate(read_json(path, stage))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            problem = f"{key} is missing"
        else:
            reason = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
            problem = f"{key} = {_short(first['input'])}: {reason}"
        raise UserError(f"{path}: {problem}; {_again(stage)}") from None


def _again(stage: str | None) -> str:
    return f"run {_script(stage)} again"


def _short(value: object, length: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def write_npy(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy (little-endian, no pickle)."""
    with new_file(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)


def read_npy(
    path: Path,
    dtype: type[np.generic],
    *,
    ndim: int | None = None,
    stage: str | None = None,
    memory_map: bool = True,
) -> np.ndarray:
    """Read one .npy array of the expected dtype; by default memory-mapped.

    Mapped copy-on-write: nothing reaches the file, and torch takes the array without a copy.

    Raises:
        UserError: the file is missing, is not an .npy array, or has another dtype or number of
            dimensions.
    """
    try:
        with _reading(path, stage), path.open("rb") as stream:
            np.lib.format.read_magic(stream)  # np.load would also take an archive of arrays
            array = np.load(path, mmap_mode="c" if memory_map else None, allow_pickle=False)
    except (ValueError, EOFError, OverflowError, TypeError, SyntaxError, TokenError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not a readable .npy array: {reason}; {_again(stage)}") from None
    if array.dtype != np.dtype(dtype):
        raise UserError(f"{path} holds {array.dtype}, expected {np.dtype(dtype)}; {_again(stage)}")
    if ndim is not None and array.ndim != ndim:
        raise UserError(
            f"{path} has the shape {array.shape}, expected {ndim} dimension(s); {_again(stage)}"
        )
    return array


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV without its index, lines ending in \\n on every system."""
    with new_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: Path, columns: Sequence[str] = (), stage: str | None = None) -> pd.DataFrame:
    """The table in a CSV file that an earlier stage wrote.

    Args:
        columns: those that it must have, of finite numbers, in at least one row.

    Raises:
        UserError: the file is missing, is not CSV, or is without such columns.
    """
    try:
        with _reading(path, stage):
            table = pd.read_csv(path)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid CSV: {reason}; {_again(stage)}") from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise UserError(f"{path} lacks the column {' and '.join(missing)}; {_again(stage)}")
    if columns and table.empty:
        raise UserError(f"{path} holds no row; {_again(stage)}")
    for name in columns:
        if table[name].dtype.kind not in "iuf" or not np.isfinite(table[name]).all():
            raise UserError(
                f"{path}: expected numbers in every row of the column {name}; {_again(stage)}"
            )
    return table
