"""users.csv and items.csv: the ids, the source's ids, and what the source knows of each."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pandas as pd

from sasrec.base.errors import UserError
from sasrec.base.files import new_file

USERS, ITEMS = "users.csv", "items.csv"
ID, RAW_ID = "id", "raw_id"  # the first columns; the details follow


@dataclass(frozen=True)
class Details:
    """What a source knows of its users or items.

    Attributes:
        columns: the names of the details, such as title, year, genres.
        rows: the details of each raw id; an id that is absent has empty ones.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def write_catalogue(path: Path, raw_ids: Sequence[str], details: Details) -> None:
    """Write CSV `id,raw_id,…`: the k-th raw id, counted from 1, has the id k."""
    unknown = ("",) * len(details.columns)
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([ID, RAW_ID, *details.columns])
        for number, raw_id in enumerate(raw_ids, start=1):
            writer.writerow([number, raw_id, *details.rows.get(raw_id, unknown)])


@dataclass(frozen=True)
class Catalogue:
    """users.csv or items.csv as it was read.

    Attributes:
        raw_ids: the raw id of each id, in the file's order.
    """

    path: Path
    raw_ids: Mapping[int, str]
    details: Details

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write_catalogue` wrote.

        Raises:
            UserError: the file is missing, is not CSV, lacks a column or a field, or states an
                id twice.
        """
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                return cls._from_rows(path, csv.DictReader(stream, strict=True))
        except FileNotFoundError:
            raise UserError(f"{path} not found: run `dvc repro` first") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path} is not a readable CSV file: {error}") from None

    @classmethod
    def _from_rows(cls, path: Path, rows: csv.DictReader) -> Self:
        names = rows.fieldnames or ()
        missing = {ID, RAW_ID} - set(names)
        if missing:
            raise UserError(f"{path} lacks the column {' and '.join(sorted(missing))}")
        columns = tuple(name for name in names if name not in (ID, RAW_ID))
        raw_ids: dict[int, str] = {}
        details: dict[str, tuple[str, ...]] = {}
        for number, row in _numbered(path, rows):
            if number in raw_ids:
                raise UserError(f"{path}, line {rows.line_num}: the id {number} again")
            raw_ids[number] = row[RAW_ID]
            if columns:
                details[row[RAW_ID]] = tuple(row[name] for name in columns)
        return cls(path, raw_ids, Details(columns, details))

    def raw_ids_of(self, ids: Sequence[int]) -> list[str]:
        """The raw ids of these ids.

        Raises:
            UserError: one of them is not in the file.
        """
        try:
            return [self.raw_ids[number] for number in ids]
        except KeyError as error:
            raise UserError(f"{self.path} has no row for the id {error.args[0]}") from None

    def ids_of(self, raw_ids: Sequence[str]) -> list[int]:
        """The ids of these raw ids.

        Raises:
            UserError: one of them is not in the file.
        """
        ids = {raw_id: number for number, raw_id in self.raw_ids.items()}
        for raw_id in raw_ids:
            if raw_id not in ids:
                examples = ", ".join(list(ids)[:3])
                raise UserError(
                    f"{raw_id!r} is not among the raw ids of {self.path} ({examples}, …)"
                )
        return [ids[raw_id] for raw_id in raw_ids]

    def describe(self, ids: Sequence[int]) -> pd.DataFrame:
        """What is known of these ids, a row each: the raw id, then the details.

        Raises:
            UserError: one of them is not in the file.
        """
        rows = [(raw_id, *self.details.rows.get(raw_id, ())) for raw_id in self.raw_ids_of(ids)]
        return pd.DataFrame(rows, columns=[RAW_ID, *self.details.columns])


def _numbered(path: Path, rows: csv.DictReader) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row after its id, a whole number."""
    for row in rows:
        if None in row.values():
            raise UserError(f"{path}, line {rows.line_num}: too few fields")
        try:
            yield int(row[ID]), row
        except ValueError:
            raise UserError(
                f"{path}, line {rows.line_num}: the id is {row[ID][:60]!r}, expected a whole number"
            ) from None
