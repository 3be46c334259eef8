"""What is known of items beside who interacted with them: genres and the year; made and kept.

Shapes: N items, G genres.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from sasrec.base.errors import UserError
from sasrec.base.files import read_json_as, read_npy, write_json, write_npy
from sasrec.data.catalogue import Catalogue
from sasrec.data.facts import read_split_facts
from sasrec.data.sequences import AGAIN, STAGE

FOLDER = "features"  # in the folders that split writes
NAMES = "genres.json"
YEAR, GENRES = "year", "genres"  # details of items.csv
SEPARATOR = "|"
NO_GENRE = {"", "unknown"}  # ml-100k says unknown of two films
_DTYPES = {"offsets": np.int64, "genres": np.int32, "years": np.int32}  # a file each


@dataclass(frozen=True)
class ItemFeatures:
    """Genres as compressed sparse rows, and years.

    Item i's genres are `genres[offsets[i]:offsets[i + 1]]`; item 0 is padding and has none.

    Attributes:
        names: of the G genres, in the order of their numbers; empty where none are known.
        offsets: int64 [N + 2], from 0, never falling, the last one is len(genres).
        genres: int32, numbers from 0.
        years: int32 [N + 1], 0 where the year is not known.
    """

    names: tuple[str, ...]
    offsets: np.ndarray
    genres: np.ndarray
    years: np.ndarray

    def save(self, folder: Path) -> None:
        """Write genres.json, offsets.npy, genres.npy and years.npy into `folder`/features."""
        folder = folder / FOLDER
        folder.mkdir()
        write_json(folder / NAMES, {"names": list(self.names)})
        for name, dtype in _DTYPES.items():
            write_npy(folder / f"{name}.npy", getattr(self, name).astype(dtype, copy=False))


class _Genres(BaseModel):
    """genres.json."""

    model_config = ConfigDict(strict=True)

    names: list[str]


def features_of(catalogue: Catalogue, num_items: int) -> ItemFeatures | None:
    """What a catalogue's details say of the items 1 to `num_items`; None where they say nothing.

    Genres are texts with `|` between them, numbered in alphabetical order; a year has four digits.

    Raises:
        UserError: the catalogue lacks one of the items.
    """
    if not {GENRES, YEAR} & set(catalogue.details.columns):
        return None
    known = catalogue.describe(range(1, num_items + 1))
    unknown = [""] * num_items
    by_item = [_genres_in(text) for text in known.get(GENRES, unknown)]
    years = [_year_in(text) for text in known.get(YEAR, unknown)]
    if not (any(by_item) or any(years)):
        return None
    names = sorted({name for genres in by_item for name in genres})
    numbers = {name: number for number, name in enumerate(names)}
    return ItemFeatures(
        tuple(names),
        offsets=np.cumsum([0, 0, *map(len, by_item)], dtype=np.int64),
        genres=np.array([numbers[name] for genres in by_item for name in genres], np.int32),
        years=np.array([0, *years], np.int32),
    )


def _genres_in(text: str) -> list[str]:
    """Each genre once, in the text's order."""
    parts = (part.strip() for part in text.split(SEPARATOR))
    return list(dict.fromkeys(part for part in parts if part not in NO_GENRE))


def _year_in(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{4}", text) else 0


def read_features(folder: Path) -> ItemFeatures | None:
    """What `save` wrote into `folder`, which is one of those that split writes; None if nothing.

    Raises:
        UserError: a file is missing, or does not fit the others or dataset.json.
    """
    num_items = read_split_facts(folder).num_items
    folder = folder / FOLDER
    if not folder.is_dir():
        return None
    names = read_json_as(folder / NAMES, _Genres, STAGE).names
    offsets, genres, years = (
        read_npy(folder / f"{name}.npy", dtype, ndim=1, stage=STAGE, memory_map=False)
        for name, dtype in _DTYPES.items()
    )
    if len(offsets) != num_items + 2 or len(years) != num_items + 1:
        raise UserError(
            f"{folder}: {len(offsets)} offsets and {len(years)} years, expected "
            f"{num_items + 2} and {num_items + 1} for {num_items} items; {AGAIN}"
        )
    if offsets[0] != 0 or offsets[1] != 0 or offsets[-1] != len(genres):
        raise UserError(
            f"{folder}/offsets.npy does not fit the {len(genres)} genres beside it; {AGAIN}"
        )
    if (offsets[1:] < offsets[:-1]).any():
        raise UserError(f"{folder}/offsets.npy falls: expected never-falling offsets; {AGAIN}")
    if ((genres < 0) | (genres >= len(names))).any():
        raise UserError(f"{folder}/genres.npy: expected numbers below {len(names)}; {AGAIN}")
    if (years < 0).any():
        raise UserError(f"{folder}/years.npy: expected years, 0 where not known; {AGAIN}")
    return ItemFeatures(tuple(names), offsets, genres, years)
