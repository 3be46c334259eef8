"""Writing so that a file is there whole or not at all: a temporary name, then a rename."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sasrec.errors import UserError


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` when the block ends well.

    When the block raises, or the process is killed in it, `path` is as it was; a process killed
    between the removal of the old folder and the rename leaves none. What a killed process leaves
    under the temporary name is removed by the next one.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    _remove(temporary)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _remove(path)
        temporary.rename(path)
    finally:
        _remove(temporary)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; it is renamed to `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` as indented JSON with a final newline. NaN is refused (not JSON)."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file that an earlier stage wrote.

    Raises:
        UserError: the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} not found: run the stage that writes it first") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON: {error}") from None


def write_npy(path: Path, array: np.ndarray) -> None:
    """Write one array as .npy (little-endian, no pickle)."""
    try:
        with new_file(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
    except OSError as error:
        # numpy reports a short write without an errno; what it means is a full disk.
        code = error.errno or errno.ENOSPC
        raise OSError(code, os.strerror(code), str(path)) from error


def read_npy(path: Path, dtype: type[np.generic], *, memory_map: bool = True) -> np.ndarray:
    """Read one .npy array of the expected dtype; by default memory-mapped.

    Mapped copy-on-write: nothing reaches the file, and torch takes the array without a copy.

    Raises:
        UserError: the file is missing, is not an .npy array, or has another dtype.
    """
    try:
        array = np.load(path, mmap_mode="c" if memory_map else None, allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path} not found: run the stage that writes it first") from None
    except (ValueError, EOFError) as error:
        raise UserError(f"{path} is not a readable .npy array: {error}") from None
    if array.dtype != np.dtype(dtype):
        raise UserError(f"{path} holds {array.dtype}, expected {np.dtype(dtype)}")
    return array


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV without its index, lines ending in \\n on every system."""
    with new_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """The table in a CSV file that an earlier stage wrote.

    Raises:
        UserError: the file is missing or is not CSV.
    """
    try:
        return pd.read_csv(path)
    except FileNotFoundError:
        raise UserError(f"{path} not found: run the stage that writes it first") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid CSV: {error}") from None


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
