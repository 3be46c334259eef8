"""JSON lines as Arrow columns of strings, exactly as written: no number is rounded.

A column's name may be a path: `user.id` is a field of an object; `events.aid`, where `events` is
a list, gives a row for each of its entries: an empty list gives none, and counts nowhere; a null in
place of a list is one missing value. Steam's and Amazon's Python literals are read too.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from sasrec.base.errors import UserError
from sasrec.preparing.encodings import encoding_of
from sasrec.preparing.plain_bytes import head_of, open_plain, recoded, to_utf8
from sasrec.preparing.tables import Table, check_names

CHUNK = 1 << 16  # rows
BLANK = b" \t\r\n"
DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
Row = list[str | None]


@dataclass(frozen=True)
class JsonRows:
    """The records of one file, and rows of text made of them.

    Attributes:
        keys: names, paths, or positions in records that are lists.
        joined: what to put between the entries of a list; None makes a row of each entry.
    """

    path: Path
    label: str
    keys: tuple[str | int, ...]
    joined: str | None = None

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Each row after its place."""
        for place, record in self._records():
            if isinstance(record, dict):  # nearly always all are plain text: half the time
                plain = [record.get(key) for key in self.keys]
                if all(type(value) is str for value in plain):
                    yield place, plain
                    continue
            values = [self._text(self._value(record, key), key, place) for key in self.keys]
            yield from ((place, row) for row in self._spread(values, place))

    def place(self, row: int) -> str:
        """Where a row, counted from 0, stands."""
        for index, (place, _) in enumerate(self.rows()):
            if index == row:
                return place
        raise AssertionError(f"{self.label} has no row {row}")

    def names(self) -> list[str]:
        """The fields of the first record."""
        record = next((record for _, record in self._records()), {})
        return list(record) if isinstance(record, dict) else []

    def _records(self) -> Iterator[tuple[str, Any]]:
        """Every record after its place."""
        head = head_of(self.path, self.label)
        stream = open_plain(self.path, self.label)
        encoding = encoding_of(head)
        if encoding != "utf-8":
            stream = recoded(stream, self.label, to_utf8(encoding, self.label))
        with stream:
            if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and self._is_array():
                yield from self._entries(stream.read())
                return
            for number, line in enumerate(stream, start=1):
                if line.strip(BLANK):
                    yield f"line {number}", self._record(line, number)

    def _is_array(self) -> bool:
        """Whether one list holds all records; else a list a line is a record."""
        return not any(isinstance(key, int) for key in self.keys)

    def _entries(self, content: bytes) -> Iterator[tuple[str, Any]]:
        try:
            records = DECODER.decode(content.decode("utf-8-sig"))
        except ValueError as error:
            raise UserError(f"{self.label} is no JSON: {_reason(error)}") from None
        except RecursionError:
            raise UserError(f"{self.label} is too deeply nested") from None
        for number, record in enumerate(records, start=1):
            yield f"entry {number}", record

    def _record(self, line: bytes, number: int) -> Any:
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{self.label}, line {number}: not UTF-8 text") from None
        try:
            record = DECODER.decode(text)
        except ValueError as error:
            record = _literal(text)
            if record is None:
                self._fail(number, f"no JSON ({_reason(error)}), expected one record a line")
        except RecursionError:
            self._fail(number, "too deeply nested")
        if not isinstance(record, dict | list):
            self._fail(number, f"{text.strip()[:40]!r}, expected a record such as {{…}}")
        return record

    def _fail(self, number: int, message: str) -> NoReturn:
        raise UserError(f"{self.label}, line {number}: {message}")

    def _value(self, record: Any, key: str | int) -> Any:
        if isinstance(key, int):
            return record[key] if isinstance(record, list) and key < len(record) else None
        if isinstance(record, dict) and key in record:
            return record[key]
        first, dot, rest = key.partition(".")
        if not dot or not isinstance(record, dict):
            return None
        inner = record.get(first)
        if isinstance(inner, list):
            return [self._value(one, rest) for one in inner]
        return self._value(inner, rest)

    def _text(self, value: Any, key: str | int, place: str) -> Any:
        """Text, None, or a list of these."""
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return repr(value)  # of a Python literal; in JSON numbers are text already
        if isinstance(value, list):
            if any(isinstance(one, list) for one in value):
                raise UserError(f"{self.label}, {place}: {key!r} has lists in lists")
            found = [self._text(one, key, place) for one in value]
            if self.joined is None:
                return found
            return self.joined.join(one for one in found if one is not None)
        what = json.dumps(value) if isinstance(value, bool) else "an object"
        hint = f"; name a field of it, as {key}.id" if isinstance(value, dict) else ""
        raise UserError(
            f"{self.label}, {place}: {key!r} is {what}, expected text or a number{hint}"
        )

    def _spread(self, values: list[Any], place: str) -> Iterator[Row]:
        """One row, or where there are lists one of each entry."""
        lengths = {len(value) for value in values if isinstance(value, list)}
        if not lengths:
            yield values
            return
        if len(lengths) > 1:
            several = " and ".join(str(length) for length in sorted(lengths))
            raise UserError(
                f"{self.label}, {place}: lists of {several} entries, expected as many in each"
            )
        for k in range(lengths.pop()):
            yield [value[k] if isinstance(value, list) else value for value in values]


def read_json(
    path: Path, keys: dict[str, str | int], label: str, joined: str | None = None
) -> Table:
    """Read fields of JSON lines, or of one JSON list, as strings.

    Args:
        keys: by the column's name, the field's name, its path, or its position.
        joined: see `JsonRows`.

    Raises:
        UserError: a line is no JSON, a value is neither text nor a number, or a field occurs
            nowhere.
    """
    found = JsonRows(path, label, tuple(keys.values()), joined)
    names = list(keys)
    chunks: list[pa.RecordBatch] = []
    rows: list[Row] = []
    for _, row in found.rows():
        rows.append(row)
        if len(rows) == CHUNK:
            chunks.append(_batch(rows, names))
            rows.clear()
    chunks.append(_batch(rows, names))
    columns = pa.Table.from_batches(chunks)
    for name in names:
        column = columns[name]
        if len(column) and column.null_count == len(column) and found.names():
            known = found.names()
            if name not in known:
                check_names([name], known, label)
    return Table(columns, label, found.place)


def _batch(rows: list[Row], names: list[str]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    try:
        arrays = [pa.array(column, pa.string()) for column in columns]
    except UnicodeEncodeError:  # half of a pair, as "\ud800"
        columns = zip(*rows, strict=True)
        arrays = [pa.array(map(_valid, column), pa.string()) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, names)


def _valid(value: str | None) -> str | None:
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _literal(text: str) -> Any:
    """A Python literal, as `{u'user': 1}`; None for anything else."""
    if not text.lstrip().startswith(("{'", "{u'", '{u"')):
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _reason(error: ValueError) -> str:
    return str(error).partition(":")[0][:80]
