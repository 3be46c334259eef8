"""A text file's rows one by one, for its header and to find a line; slow, so rarely used."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NoReturn

from sasrec.base.errors import UserError
from sasrec.preparing.tables import first_line, listed


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

    @property
    def separator(self) -> str:
        """The one character that Arrow needs; no file of MovieLens holds this one."""
        return "\x1f" if self.delimiter == "::" else self.delimiter


@dataclass(frozen=True)
class TextRows:
    """One text file and its name in messages."""

    path: Path
    form: TextFormat
    label: str

    def open(self) -> BinaryIO:
        """The bytes, with delimiters of one character."""
        if self.form.delimiter == "::":
            separator = self.form.separator.encode()
            return io.BytesIO(self.path.read_bytes().replace(b"::", separator))
        return self.path.open("rb")

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
        encoding = "utf-8-sig" if self.form.encoding == "utf-8" else self.form.encoding
        quoting = csv.QUOTE_MINIMAL if self.form.quoted else csv.QUOTE_NONE
        # What is not text is kept as it is, since it may stand in a column that nobody reads.
        errors = "surrogateescape"
        with io.TextIOWrapper(self.open(), encoding, errors=errors, newline="") as stream:
            reader = csv.reader(stream, delimiter=self.form.separator, quoting=quoting)
            line = 1
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1

    def _check_text(self, line: int, value: str) -> None:
        if any("\udc80" <= character <= "\udcff" for character in value):
            encoding = self.form.encoding.upper()
            raise UserError(f"{self.label}, line {line}: not {encoding} text")
