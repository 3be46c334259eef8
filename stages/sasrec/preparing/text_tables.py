"""Delimited text as Arrow columns: checked by bytes, parsed at once, explained by lines.

Reading is vectorised; only when it fails is the text walked through to find the line.
"""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from sasrec.base.errors import UserError
from sasrec.preparing.plain_bytes import one_character, open_plain, recoded, to_utf8
from sasrec.preparing.row_shape import RowShape
from sasrec.preparing.tables import Table, check_names, first_line, listed
from sasrec.preparing.text_scan import TextScan

SEPARATOR = "\x1f"  # stands in for a delimiter of several characters
VALUE = re.compile(r"\s*[+-]?\d[\d.:TZ+ -]*\s*")  # a number or a date: no column's name


class NotTextError(UserError):
    """Bytes that mean nothing in the encoding that was assumed."""


@dataclass(frozen=True)
class TextFormat:
    """How a text file's fields are told apart.

    Attributes:
        delimiter: one character; or several, as in MovieLens ("::"), for files without quotes.
        names: the fields' names, or None where the first line states them.
        quoted: whether a field may be quoted, and then hold delimiters and line breaks.
    """

    delimiter: str
    names: tuple[str, ...] | None = None
    quoted: bool = False
    encoding: str = "utf-8"

    @property
    def separator(self) -> str:
        """The one character that Arrow needs."""
        return SEPARATOR if len(self.delimiter) > 1 else self.delimiter


@dataclass(frozen=True)
class TextRows:
    """One text file and its name in messages; its rows one by one, which is slow."""

    path: Path
    form: TextFormat
    label: str

    def open(self) -> BinaryIO:
        """The text as UTF-8, with delimiters of one character."""
        form = self.form
        stream = open_plain(self.path, self.label)
        if form.encoding != "utf-8":
            stream = recoded(stream, self.label, to_utf8(form.encoding, self.label))
        if len(form.delimiter) > 1:
            change = one_character(form.delimiter.encode(), SEPARATOR.encode(), self.label)
            stream = recoded(stream, self.label, change)
        return stream

    def header(self) -> list[str]:
        """The fields' names, as stated by the first row or by the format."""
        if self.form.names is not None:
            return list(self.form.names)
        line, first = next(self._rows(), (0, []))
        if not first:
            raise UserError(f"{self.label} is empty")
        for name in first:
            self._check_text(line, name)
        return first

    def line(self, row: int) -> int:
        """The line, counted from 1, of a row of data, counted from 0."""
        skipped = 1 if self.form.names is None else 0
        for index, (line, _) in enumerate(self._rows()):
            if index == row + skipped:
                return line
        raise AssertionError(f"{self.label} has no row {row}")

    def explain(self, header: list[str], names: list[str], error: Exception) -> NoReturn:
        """Raise a UserError that names the first line that cannot be read."""
        places = [header.index(name) for name in names]
        line = 0
        for line, row in self._rows():
            if len(row) != len(header):
                fields = f"{len(row)} field" + "s" * (len(row) != 1)
                expected = f"{len(header)} ({listed(header)})"
                raise UserError(f"{self.label}, line {line}: {fields}, expected {expected}")
            for place in places:
                self._check_text(line, row[place])
        reason = f"cannot be read: {first_line(error)}" if line else "is empty"
        raise UserError(f"{self.label} {reason}") from None

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The first line (from 1) and the fields of every row that is not empty."""
        quoting = csv.QUOTE_MINIMAL if self.form.quoted else csv.QUOTE_NONE
        # What is not text is kept as it is, since it may stand in a column that nobody reads.
        errors = "surrogateescape"
        with io.TextIOWrapper(self.open(), "utf-8-sig", errors=errors, newline="") as stream:
            reader = csv.reader(stream, delimiter=self.form.separator, quoting=quoting)
            line = 1
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1

    def _check_text(self, line: int, value: str) -> None:
        if any("\udc80" <= character <= "\udcff" for character in value):
            raise NotTextError(f"{self.label}, line {line}: not UTF-8 text")


def read_text(
    path: Path,
    names: list[str],
    form: TextFormat,
    label: str,
    checks: Mapping[str, Callable[[str], bool]] | None = None,
    time: str | None = None,
) -> Table:
    """Read the columns `names` of a delimited text file as strings.

    Rows that repeat the header are left out and counted. `checks` (whether a text may be a value
    of a column) and `time` (the column of times) help to find rows that a stray quote swallows.

    Raises:
        UserError: the file is empty, has another encoding, lacks a column, a line has the
            wrong number of fields, or quotes are not as they should be.
    """
    csv.field_size_limit(sys.maxsize)  # Arrow has no limit
    rows = TextRows(path, form, label)
    header = rows.header()
    check_names(names, header, label, _headless(header))
    shape = RowShape(
        delimiter=form.separator,
        width=len(header),
        checks={header.index(name): check for name, check in (checks or {}).items()},
        timed=time is not None,
    )
    scan = TextScan(label, ord(form.separator), form.quoted, shape)
    with rows.open() as stream:
        scan.run(stream)
    columns = _parse(rows, header, names, scan)
    assert scan.rows == columns.num_rows + (form.names is None), "a row was lost or made up"
    return _without_headers(rows, columns, names)


def _parse(rows: TextRows, header: list[str], names: list[str], scan: TextScan) -> pa.Table:
    form = rows.form
    parse = pacsv.ParseOptions(
        delimiter=form.separator,
        quote_char='"' if scan.has_quotes else False,
        newlines_in_values=scan.has_long_fields,
    )
    read = pacsv.ReadOptions(column_names=form.names, block_size=scan.longest_block)
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=names
    )
    try:
        with rows.open() as stream:
            return pacsv.read_csv(stream, read, parse, convert)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        rows.explain(header, names, error)


def _without_headers(rows: TextRows, columns: pa.Table, names: list[str]) -> Table:
    """Leave out rows that repeat the header in all these columns."""
    table = Table(columns, rows.label, lambda row: f"line {rows.line(row)}")
    repeated = np.flatnonzero(pc.equal(columns[names[0]], names[0]).to_numpy())
    for name in names[1:]:
        same = pc.equal(columns[name].take(repeated), name).to_numpy()
        repeated = repeated[same]
    if rows.form.names is not None or len(repeated) == 0:
        return table
    keep = np.ones(columns.num_rows, dtype=bool)
    keep[repeated] = False
    return replace(table.keeping(keep), repeated_headers=len(repeated))


def _headless(header: list[str]) -> str:
    """A hint where the first line looks like a row."""
    if not any(VALUE.fullmatch(name) for name in header):
        return ""
    return (
        " (if the first line is a row and no header, give data.columns by position, from 0: "
        "user: 0, item: 1, …)"
    )
