"""A user's own delimited text: what is not named is found by looking, then read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.preparing.delimiters import (
    SAMPLE,
    Checks,
    delimiter_by_names,
    delimiter_by_positions,
    refuse_header,
    split_rows,
)
from sasrec.preparing.encodings import encoding_of, single_byte_encoding
from sasrec.preparing.plain_bytes import head_of
from sasrec.preparing.tables import Table
from sasrec.preparing.text_tables import NotTextError, TextFormat, read_text
from sasrec.sources.local_params import AUTO, Text


@dataclass(frozen=True)
class Wanted:
    """The columns to read of a file.

    Attributes:
        places: by their names; the position from 0 where no first line names them, else None.
        checks: whether a text may be a value of a column.
        time: the column of times.
    """

    places: Mapping[str, int | None]
    checks: Checks = field(default_factory=dict)
    time: str | None = None

    @property
    def names(self) -> list[str]:
        """The columns' names, as messages show them."""
        return list(self.places)

    @property
    def positions(self) -> dict[str, int]:
        """The positions; empty where a first line names the columns."""
        return {name: place for name, place in self.places.items() if place is not None}


def read_local_text(path: Path, wanted: Wanted, text: Text, label: str) -> Table:
    """Read the wanted columns of delimited text as strings.

    Raises:
        UserError: what is not named cannot be found; or see `read_text`.
    """
    named = text.encoding != AUTO
    encoding = text.encoding if named else encoding_of(head_of(path, label))
    try:
        return _read(path, wanted, text, encoding, label)
    except NotTextError as error:
        if named:
            raise UserError(f"{error}; name another one in data.encoding") from None
    encoding, notice = single_byte_encoding(path, label)
    return _read(path, wanted, text, encoding, label).noticing(notice)


def _read(path: Path, wanted: Wanted, text: Text, encoding: str, label: str) -> Table:
    form = _format(path, wanted, text, encoding, label)
    return read_text(path, wanted.names, form, label, wanted.checks, wanted.time)


def _format(path: Path, wanted: Wanted, text: Text, encoding: str, label: str) -> TextFormat:
    head = head_of(path, label).decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = [line.replace("\r", "") + "\n" for line in head.split("\n")]
    if len(lines) > 2:
        del lines[-1]  # it may have been cut
    lines = [line for line in lines if line.strip()][:SAMPLE]
    if lines and lines[0].lower().startswith("sep=") and len(lines[0].strip()) <= 5:
        raise UserError(
            f"{label}, line 1: {lines[0].strip()!r} is a note for Excel: remove this line"
        )
    delimiter, places = text.delimiter, wanted.positions
    quoted = text.quoted and len(delimiter if delimiter != AUTO else "") <= 1
    if delimiter == AUTO and places:
        delimiter = delimiter_by_positions(lines, places, quoted, wanted.checks, label)
    elif delimiter == AUTO:
        delimiter = delimiter_by_names(lines, wanted.names, quoted)
    names = None
    if places and lines:
        names = _names_by_position(split_rows(lines, delimiter, quoted), wanted, label)
    return TextFormat(delimiter, names, quoted and len(delimiter) == 1, encoding)


def _names_by_position(rows: list[list[str]], wanted: Wanted, label: str) -> tuple[str, ...]:
    """A name for each field of a file without a header."""
    places, width = wanted.positions, len(rows[0])
    for name, place in places.items():
        if place >= width:
            raise UserError(f"{label}, line 1: {width} fields, expected {place + 1} for {name!r}")
    whole = [row for row in rows if len(row) == width]
    refuse_header(whole, places, wanted.checks, label)
    given = {place: name for name, place in places.items()}
    return tuple(given.get(place, position_name(place)) for place in range(width))


def position_name(place: int) -> str:
    """What a column is called that has no name."""
    return f"column {place}"
