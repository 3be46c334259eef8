"""Delimited text and Parquet as Arrow columns that can say where a row stands in its file.

Reading is vectorised; only when it fails is the text walked through to find the line.
"""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from sasrec.errors import UserError


@dataclass(frozen=True)
class Table:
    """Columns of one file.

    Attributes:
        columns: the columns that were asked for; text files give strings.
        label: the file's name in messages.
        where: from a row, counted from 0, to its place: "line 7" or "row 7" (from 1).
    """

    columns: pa.Table
    label: str
    where: Callable[[int], str]

    def fail(self, row: int, message: str) -> NoReturn:
        """Raise a UserError about one row, counted from 0."""
        raise UserError(f"{self.label}, {self.where(row)}: {message}")


@dataclass(frozen=True)
class TextFormat:
    """How a text file's fields are told apart.

    Attributes:
        delimiter: one character; or "::" as in MovieLens, for files without quotes.
        names: the fields' names, or None where the first line states them.
        quoted: whether a field may be quoted, and then hold delimiters and line breaks.
    """

    delimiter: str
    names: tuple[str, ...] | None = None
    quoted: bool = False
    encoding: str = "utf-8"


def read_parquet(path: Path, names: list[str], label: str) -> Table:
    """Read the columns `names` of a Parquet file.

    Raises:
        UserError: it is not a Parquet file, a column is missing, or it has no rows.
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_names(names, file.schema_arrow.names, label)
            columns = file.read(columns=names)
    except pa.ArrowException as error:
        raise UserError(f"{label} is not a readable Parquet file: {_first_line(error)}") from None
    return _not_empty(Table(columns, label, lambda row: f"row {row + 1}"))


def read_text(path: Path, names: list[str], form: TextFormat, label: str) -> Table:
    """Read the columns `names` of a delimited text file as strings.

    Raises:
        UserError: the file is empty, has another encoding, lacks a column, or a line has the
            wrong number of fields.
    """
    text = _Text(path, form, label)
    header = text.header()
    _check_names(names, header, label)
    parse = pacsv.ParseOptions(
        delimiter=text.separator,
        quote_char='"' if form.quoted else False,
        newlines_in_values=form.quoted,
    )
    read = pacsv.ReadOptions(column_names=form.names, encoding=form.encoding)
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=names
    )
    try:
        with text.open() as stream:
            columns = pacsv.read_csv(stream, read, parse, convert)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        text.explain(header, error)
    return _not_empty(Table(columns, label, lambda row: f"line {text.line(row)}"))


class _Text:
    """A text file's rows one by one, for its header and for messages; slow, so rarely used."""

    def __init__(self, path: Path, form: TextFormat, label: str) -> None:
        self.path, self.form, self.label = path, form, label
        # Arrow knows delimiters of one character; no file of MovieLens holds this one.
        self.separator = "\x1f" if form.delimiter == "::" else form.delimiter

    def open(self) -> BinaryIO:
        if self.form.delimiter == "::":
            return io.BytesIO(self.path.read_bytes().replace(b"::", self.separator.encode()))
        return self.path.open("rb")

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The first line (from 1) and the fields of every row that is not empty."""
        encoding = "utf-8-sig" if self.form.encoding == "utf-8" else self.form.encoding
        quoting = csv.QUOTE_MINIMAL if self.form.quoted else csv.QUOTE_NONE
        # What is not text is replaced, since it may stand in a column that nobody reads.
        with io.TextIOWrapper(self.open(), encoding, errors="replace", newline="") as stream:
            reader = csv.reader(stream, delimiter=self.separator, quoting=quoting, strict=True)
            line = 1
            try:
                for row in reader:
                    if row:
                        yield line, row
                    line = reader.line_num + 1
            except csv.Error as error:
                reason = f"{error} (a quote that is never closed?)"
                raise UserError(f"{self.label}, line {line}: {reason}") from None

    def header(self) -> list[str]:
        """The fields' names, as stated by the first row or by the format."""
        if self.form.names is not None:
            return list(self.form.names)
        _, first = next(self.rows(), (0, []))
        if any("\ufffd" in name for name in first):
            self._check_encoding()
        if not first:
            raise UserError(f"{self.label} is empty")
        return first

    def line(self, row: int) -> int:
        """The line, counted from 1, of a row of data, counted from 0."""
        skipped = 1 if self.form.names is None else 0
        for index, (line, _) in enumerate(self.rows()):
            if index == row + skipped:
                return line
        raise AssertionError(f"{self.label} has no row {row}")

    def explain(self, header: list[str], error: Exception) -> NoReturn:
        """Raise a UserError that names the first line that cannot be read."""
        self._check_encoding()
        line = 0
        for line, row in self.rows():
            if len(row) != len(header):
                fields = f"{len(row)} field" + "s" * (len(row) != 1)
                expected = f"{len(header)} ({', '.join(header)})"
                raise UserError(f"{self.label}, line {line}: {fields}, expected {expected}")
        reason = f"cannot be read: {_first_line(error)}" if line else "is empty"
        raise UserError(f"{self.label} {reason}") from None

    def _check_encoding(self) -> None:
        with self.open() as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    line.decode(self.form.encoding)
                except UnicodeDecodeError:
                    raise UserError(
                        f"{self.label}, line {number}: not {self.form.encoding.upper()} text"
                    ) from None


def _check_names(names: list[str], found: list[str], label: str) -> None:
    for name in names:
        if found.count(name) != 1:
            what = "no column" if name not in found else "more than one column"
            columns = " ".join(", ".join(found).split())  # on one line
            raise UserError(f"{label}: {what} {name!r}; its columns are {columns}")


def _not_empty(table: Table) -> Table:
    if table.columns.num_rows == 0:
        raise UserError(f"{table.label} has no rows below its header")
    return table


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
