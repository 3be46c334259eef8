"""Read interactions to compare: a `user item` text file, or the folder that preprocess writes."""

import re
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.comparing.datasets.graph import InteractionGraph
from sasrec.data.catalogue import ITEMS, USERS, Catalogue
from sasrec.data.interactions import read_column

MADE = Path("data/interactions")  # by a stage
# Without leading zeros: 007 and 7 would become one id.
_NUMBER = r"(0|[1-9][0-9]{0,17})"
_LINE = re.compile(rf"{_NUMBER}[ \t]+{_NUMBER}\s*")


def read_graph(path: Path) -> InteractionGraph:
    """The interactions in a text file or a folder of preprocess, with their raw ids.

    Raises:
        UserError: nothing is there, it cannot be read, or it is not what it should be.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_text(path)
    except FileNotFoundError:
        if path == MADE:
            raise UserError(f"{path} not found: run `python stages/preprocess.py` first") from None
        raise UserError(
            f"{path} not found: expected a text file of `user item` lines, or a folder with "
            "user.npy and item.npy as preprocess writes it"
        ) from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None


def _read_text(path: Path) -> InteractionGraph:
    """Lines `user item`, two whole numbers, a user's lines in chronological order."""
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file of `user item` lines") from None
    if lines == [""]:
        raise UserError(f"{path} is empty: expected `user item` lines")
    pairs = np.empty((len(lines), 2), dtype=np.int64)
    for index, line in enumerate(lines):
        match = _LINE.fullmatch(line)
        if match is None:
            raise UserError(
                f"{path}, line {index + 1}: expected two whole numbers `user item`, "
                f"found {line.strip()[:60]!r}"
            )
        pairs[index] = match.groups()
    return InteractionGraph(pairs[:, 0], pairs[:, 1])


def _read_folder(folder: Path) -> InteractionGraph:
    """The columns user.npy and item.npy; users.csv and items.csv, if there, give the raw ids."""
    user, item = (read_column(folder, name) for name in ("user", "item"))
    if len(user) != len(item):
        raise UserError(f"{folder}: user.npy has {len(user)} rows, but item.npy has {len(item)}")
    if len(user) == 0:
        raise UserError(
            f"{folder / 'user.npy'} has the shape {user.shape}, expected one non-empty column"
        )
    if (np.diff(user) < 0).any():
        row = int(np.argmax(np.diff(user) < 0)) + 2
        raise UserError(f"{folder / 'user.npy'} is not sorted by user: see row {row}")
    graph = InteractionGraph(user, item)
    graph.raw_ids = (
        _raw_ids(folder / USERS, graph.raw_ids[0]),
        _raw_ids(folder / ITEMS, graph.raw_ids[1]),
    )
    return graph


def _raw_ids(path: Path, ids: np.ndarray) -> np.ndarray:
    """The raw ids of these ids, or the ids themselves if there is no such file."""
    return np.array(Catalogue.read(path).raw_ids_of(ids.tolist())) if path.exists() else ids
