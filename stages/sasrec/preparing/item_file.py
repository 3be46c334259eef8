"""What a user's item file tells: titles, years, genres and more, by the ids of the interactions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Details
from sasrec.data.features import GENRES, SEPARATOR, YEAR
from sasrec.preparing.columns import is_text
from sasrec.preparing.ids import ids
from sasrec.preparing.local import Reading, name_of, read_any
from sasrec.preparing.tables import Table, listed
from sasrec.sources.local_params import ItemFile

TITLE = "title"
YEARS = re.compile(r"(?<!\d)(1[5-9]\d\d|20\d\d)(?!\d)")


@dataclass(frozen=True)
class Told:
    """What the item file told.

    Attributes:
        notices: sentences on ids of it, or on years that were not found.
    """

    details: Details
    notices: tuple[str, ...] = ()


def read_item_file(path: Path, form: ItemFile, known: Sequence[str]) -> Told:
    """The details of items in the file `path`; of none where it has no rows.

    Args:
        known: the raw ids of the interactions.

    Raises:
        UserError: it cannot be read, tells of an item twice, or of none of the known ones.
    """
    label = f"the item file ({path.name})"
    columns = form.columns
    reading = Reading(label, columns.given, form, checks={}, joined=form.genre_separator)
    try:
        table = read_any(path, reading)
    except UserError as error:
        raise UserError(_of_items(str(error))) from None
    if table.columns.num_rows == 0:
        return Told(Details())
    if len(columns.given) == 1:
        raise UserError(
            f"{label}: name what to read of it in data.items.columns: title, year, genres, others"
        )
    found = ids(table, name_of(columns.id))
    again = _repeated(found.codes, found.labels)
    if len(again) and form.repeated == "refuse":
        _refuse_repeated(table, found.codes, found.labels, again)
    keep = np.ones(len(found.codes), dtype=bool)
    keep[again] = False
    table = table.keeping(keep)
    names, fields, notices = _fields(table, form)
    rows = dict(zip(found.labels, zip(*fields, strict=True), strict=True))
    if rows.keys().isdisjoint(known):
        raise UserError(_strangers(label, found.labels, known))
    notices = tuple(map(_of_items, table.notices + found.notices + notices))
    return Told(Details(names, rows), notices)


def _of_items(sentence: str) -> str:
    """The same sentence with what holds of the item file instead of the interactions."""
    sentence = sentence.replace("set data.missing_id: drop", "take these rows out of the file")
    return re.sub(r"\bdata\.(?=columns|delimiter|encoding|quoted)", "data.items.", sentence)


def _fields(
    table: Table, form: ItemFile
) -> tuple[tuple[str, ...], list[list[str]], tuple[str, ...]]:
    """The names of the details, their values in the order of the rows, and notices."""
    columns = form.columns
    names: list[str] = []
    fields: list[list[str]] = []
    notices: tuple[str, ...] = ()
    if columns.title is not None:
        names.append(TITLE)
        fields.append(_texts(table, columns.title))
    if columns.year is not None:
        texts = _texts(table, columns.year)
        names.append(YEAR)
        fields.append([_year(text) for text in texts])
        lost = [text for text, year in zip(texts, fields[-1], strict=True) if text and not year]
        if lost:
            notices = (
                f"{table.label}: no year from 1500 to 2099 is in {len(lost):,} values of "
                f"{name_of(columns.year)!r}, as {lost[0][:40]!r}",
            )
    if columns.genres is not None:
        names.append(GENRES)
        fields.append([_genres(text, form) for text in _texts(table, columns.genres)])
    for other in columns.others:
        names.append(other)
        fields.append(_texts(table, other))
    return tuple(names), fields, notices


def _texts(table: Table, key: str | int) -> list[str]:
    """A column as text in one line each; what is missing is empty."""
    column = table.columns[name_of(key)]
    if not is_text(column.type):
        column = _plain_text(column)
    values = column.fill_null("").to_pylist()
    return [" ".join(value.split()) for value in values]


def _plain_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers and dates as text; whole numbers without a point."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy()
        known = np.isfinite(values)
        if (values[known] == np.floor(values[known])).all():
            whole = pa.array(np.where(known, values, 0).astype(np.int64), mask=~known)
            return pa.chunked_array([whole.cast(pa.string())])
    return pc.cast(column, pa.string())


def _year(text: str) -> str:
    """The one year that a text names, as in 1995, 01-Jan-1995 or 1995-01-01; or nothing."""
    years = set(YEARS.findall(text))
    return years.pop() if len(years) == 1 else ""


def _genres(text: str, form: ItemFile) -> str:
    """Genres with `|` between them; one inside of a genre's name becomes a slash."""
    parts = [part.strip() for part in text.split(form.genre_separator)]
    if form.genre_separator != SEPARATOR:
        parts = [part.replace(SEPARATOR, "/") for part in parts]
    return SEPARATOR.join(part for part in parts if part)


def _repeated(codes: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """The rows of items that an earlier row tells of."""
    if len(labels) == len(codes):
        return np.empty(0, dtype=np.int64)
    highest = np.maximum.accumulate(codes)  # codes count up at first appearances
    return np.flatnonzero(codes[1:] <= highest[:-1]) + 1


def _refuse_repeated(
    table: Table, codes: np.ndarray, labels: Sequence[str], again: np.ndarray
) -> NoReturn:
    """Refuse an item that has two rows."""
    row = int(again[0])
    first = int(np.argmax(codes == codes[row]))
    table.fail(
        row,
        f"item {labels[codes[row]]!r} again, which {table.where(first)} tells of already "
        f"({len(again):,} such rows); keep one row of each item, or set data.items.repeated: first",
    )


def _strangers(label: str, found: Sequence[str], known: Sequence[str]) -> str:
    """Why none of the file's ids is one of the interactions'."""
    stripped = {one.strip().lstrip("0") for one in known}
    hint = ""
    if any(one.strip().lstrip("0") in stripped for one in found):
        hint = "; some are equal but for zeros or spaces before them: write ids in one way"
    return (
        f"{label}: none of its {len(found):,} ids ({listed(found[:3])}, …) is an item of the "
        f"interactions ({listed(known[:3])}, …){hint}; is data.items.columns.id the right column?"
    )
