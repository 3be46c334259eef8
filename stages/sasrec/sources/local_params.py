"""How a user's own files are written: the keys of `data` that tell of columns, text and times."""

import codecs
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from sasrec.base.params import Section

AUTO = "auto"
# What a shell or `-S` would take for something else has a name.
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
# Beside auto (numbers, ISO 8601) and patterns; what each means: preparing/time_formats.py
TIME_FORMATS = ("day_first", "month_first", "compact", "spreadsheet")


def _column(value: object) -> object:
    """A column's name or position; None stands for none."""
    named = isinstance(value, str) and value != ""
    placed = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not (named or placed):
        raise ValueError("should be a column's name, or its position from 0 where no line names it")
    return value


def _maybe_column(value: object) -> object:
    return value if value is None else _column(value)


def _delimiter(value: str) -> str:
    if value == "" or '"' in value or "\n" in value or "\r" in value:
        known = ", ".join(name for name in DELIMITERS if name.isalpha())
        raise ValueError(f"should be auto, {known}, or the characters between fields")
    if "\0" in value or (len(value) == 1 and not value.isascii()):
        raise ValueError("should be an ASCII character other than NUL, or several characters")
    return DELIMITERS.get(value, value)


def _encoding(value: str) -> str:
    if value == AUTO:
        return value
    try:
        name = codecs.lookup(value).name
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError("should be auto, or such as utf-8, latin-1, cp1252, utf-16") from None
    return "utf-8" if name == "utf-8-sig" else name


def _time_format(value: str) -> str:
    if value == AUTO or value in TIME_FORMATS or "%" in value:
        return value
    names = ", ".join((AUTO, *TIME_FORMATS))
    raise ValueError(f"should be one of {names}, or a pattern such as '%d.%m.%Y %H:%M'")


ColumnKey = Annotated[str | int, BeforeValidator(_column)]
MaybeColumn = Annotated[str | int | None, BeforeValidator(_maybe_column)]
Delimiter = Annotated[str, AfterValidator(_delimiter)]
Encoding = Annotated[str, AfterValidator(_encoding)]
TimeFormat = Annotated[str, AfterValidator(_time_format)]


class Text(Section):
    """How text files are written; formats that tell it themselves use none of it.

    Attributes:
        delimiter: auto, or the characters between fields.
        encoding: auto, or the name of one.
        quoted: whether fields may be quoted, or quotes are plain characters.
    """

    delimiter: Delimiter
    encoding: Encoding
    quoted: bool


def _check_columns(keys: Sequence[str | int | None]) -> None:
    """Refuse a column that is meant twice, and names beside positions."""
    known = [key for key in keys if key is not None]
    if len(set(known)) < len(known):
        raise ValueError(f"a column is named twice: {', '.join(map(repr, known))}")
    if len({type(key) for key in known}) > 1:
        raise ValueError(f"should be names or positions, not both: {', '.join(map(repr, known))}")


class Columns(Section):
    """The columns of the user's own file; all but user and item may be absent (null).

    Each is a name, or, in files without a header, all are positions from 0. `order` has numbers
    that order rows of the same time, or instead of it.
    """

    user: ColumnKey
    item: ColumnKey
    timestamp: MaybeColumn
    rating: MaybeColumn
    order: str | int | list[str | int] | None

    @field_validator("order", mode="before")
    @classmethod
    def _orders(cls, order: object) -> object:
        keys = order if isinstance(order, list) else [order]
        try:
            right = bool([_column(key) for key in keys])
        except ValueError:
            right = False
        if order is not None and not right:
            raise ValueError("should be null, a column, or a list of columns")
        return order

    @property
    def orders(self) -> tuple[str | int, ...]:
        """The columns of `order`, the first before the next ones."""
        if self.order is None:
            return ()
        return tuple(self.order) if isinstance(self.order, list) else (self.order,)

    @property
    def given(self) -> list[str | int]:
        """All columns that are there."""
        keys = (self.user, self.item, self.timestamp, self.rating, *self.orders)
        return [key for key in keys if key is not None]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        _check_columns(self.given)
        return self


class ItemColumns(Section):
    """The columns of the item file; `others` are kept under their own names."""

    id: ColumnKey
    title: MaybeColumn
    year: MaybeColumn
    genres: MaybeColumn
    others: list[str]

    @property
    def given(self) -> list[str | int]:
        """All columns that are there, the id first."""
        keys = (self.id, self.title, self.year, self.genres, *self.others)
        return [key for key in keys if key is not None]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        _check_columns(self.given)
        taken = {"id", "raw_id", "title", "year", "genres"} & set(self.others)
        if taken:
            raise ValueError(f"others has {sorted(taken)[0]!r}, which items.csv has already")
        return self


class ItemFile(Text):
    """A file that tells of items.

    Attributes:
        genre_separator: what stands between the genres of an item.
        repeated: whether an item may have several rows, of which the first one counts.
    """

    path: Annotated[str, Field(min_length=1)]
    columns: ItemColumns
    genre_separator: Annotated[str, Field(min_length=1)]
    repeated: Literal["refuse", "first"]
