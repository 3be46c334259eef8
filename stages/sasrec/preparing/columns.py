"""From a table's columns to arrays: ratings, order numbers; and what a wrong value is told."""

import datetime
from decimal import Decimal
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.preparing.tables import Table

DECIMAL_COMMA = r"^\s*[+-]?\d+,\d{1,2}\s*$"
# At most six digits of a number that has more.
ROUNDED = r"^\s*[+-]?\d([.,]\d{0,5})?[eE]\+?0*([6-9]|[1-9]\d)\s*$"


def ratings(table: Table, name: str) -> np.ndarray:
    """The column as float32 `[N]`, all finite. 4,5 means 4.5 where no value has a point.

    Raises:
        UserError: a value is missing or is not a finite number.
    """
    expected = "a finite number"
    column = numbers_or_text(table, name, expected)
    plain = _with_points(column) if is_text(column.type) else column
    # Rounded by Arrow, since NumPy would hold the float64 twice; too large becomes infinite.
    exact = cast(table, name, plain, pa.float64(), expected)
    values = exact.cast(pa.float32(), safe=False).to_numpy()
    refuse(table, name, column, ~np.isfinite(values), expected)
    return values


def _with_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text with decimal commas as such with points; 1,234 alone may be a thousand, and stays."""
    sure = pc.any(pc.match_substring_regex(column, DECIMAL_COMMA)).as_py()
    if not sure or pc.any(pc.match_substring(column, ".")).as_py():
        return column
    return pc.replace_substring(column, ",", ".", max_replacements=1)


def order_numbers(table: Table, name: str) -> np.ndarray:
    """The column as int64 or float64 `[N]`, numbers that keep their order.

    Raises:
        UserError: a value is missing, is not a number, or has more digits than can be kept.
    """
    expected = "a number that orders rows"
    column = numbers_or_text(table, name, expected)
    refuse_rounded(table, name, column)
    try:
        return trimmed(column).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        values = cast(table, name, column, pa.float64(), expected).to_numpy()
        # Above 2**53 neighbours would become equal.
        refuse(table, name, column, ~(np.abs(values) <= 2**53), f"{expected}, up to 2**53")
        return values


def present(table: Table, name: str) -> pa.ChunkedArray:
    """The column, after a check that no value is null."""
    column = table.columns[name]
    if column.null_count:
        table.lacks(pc.index(column.is_null(), True).as_py(), name)
    return column


def numbers_or_text(table: Table, name: str, expected: str) -> pa.ChunkedArray:
    """The column, after a check that its type is a number's or text."""
    column = present(table, name)
    if not (is_number(column.type) or is_text(column.type)):
        refuse_type(table, name, expected)
    return column


def refuse_rounded(table: Table, name: str, column: pa.ChunkedArray) -> None:
    """Refuse text such as 1.37E+09, as spreadsheets show long numbers."""
    if is_text(column.type):
        rounded = pc.match_substring_regex(column, ROUNDED).to_numpy()
        refuse(table, name, column, rounded, "all digits: some were lost, export it as text")


def refuse_type(table: Table, name: str, expected: str) -> NoReturn:
    """Refuse a column whose type is none that makes sense."""
    kind = table.columns[name].type
    table.fail(0, f"{name!r} has type {kind}, expected {expected}")


def cast(
    table: Table, name: str, column: pa.ChunkedArray, kind: pa.DataType, expected: str
) -> pa.ChunkedArray:
    """Convert a column; on failure name the first value that does not convert."""
    column = trimmed(column)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        wrong(table, name, _first_failure(column, kind), expected)


def trimmed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text without spaces around it; other columns as they are."""
    return pc.utf8_trim_whitespace(column) if is_text(column.type) else column


def _first_failure(column: pa.ChunkedArray, kind: pa.DataType) -> int:
    """The first row that does not convert, by halving: the rows before `first` do."""
    first, last = 0, len(column)
    while last - first > 1:
        middle = (first + last) // 2
        try:
            column.slice(first, middle - first).cast(kind)
            first = middle
        except pa.ArrowInvalid:
            last = middle
    return first


def refuse(
    table: Table, name: str, column: pa.ChunkedArray, wrong_rows: np.ndarray, expected: str
) -> None:
    """Name the first of the wrong rows, if there is one."""
    if wrong_rows.any():
        wrong(table, name, int(np.argmax(wrong_rows)), expected)


def wrong(table: Table, name: str, row: int, expected: str) -> NoReturn:
    """Refuse one value."""
    value = table.columns[name][row]
    if is_text(value.type) and not value.as_py().strip():
        table.lacks(row, name)
    table.fail(row, f"{name!r} is {shown(value)}, expected {expected}")


def shown(value: pa.Scalar) -> str:
    """A value for a message; dates that Python cannot hold too."""
    kind = value.type
    if pa.types.is_timestamp(kind):
        return str(np.datetime64(value.value, kind.unit))
    if pa.types.is_date32(kind):
        return str(np.datetime64(value.value, "D"))
    if pa.types.is_date64(kind):
        return str(np.datetime64(value.value, "ms"))
    plain = value.as_py()
    if isinstance(plain, str):
        return repr(plain[:40])
    if isinstance(plain, (int, float, Decimal, datetime.date)):
        return str(plain)[:60]
    return f"a value of type {kind}"


def is_text(kind: pa.DataType) -> bool:
    """Whether values are text."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_number(kind: pa.DataType) -> bool:
    """Whether values are numbers; true and false are none."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
