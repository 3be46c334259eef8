"""From a table's columns to arrays: ids, ratings, times; every value is checked."""

from datetime import UTC, datetime
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.tables import Table

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())  # seconds since 1970
DATE = r"^\d{4}-\d"


def ids(table: Table, name: str) -> tuple[np.ndarray, list[str]]:
    """The column's values as codes: int32 `[N]`, and the raw id (text) of each code.

    Codes count from 0 in order of appearance. Text is kept as it is, leading zeros too.

    Raises:
        UserError: a value is missing, or is neither text nor a whole number.
    """
    column = _present(table, name)
    if pa.types.is_floating(column.type):  # whole numbers that pandas wrote as floats
        column = _cast(table, name, column, pa.int64(), "a whole number or text")
    if not (pa.types.is_integer(column.type) or _is_text(column.type)):
        table.fail(0, f"{name} has type {column.type}, expected text or whole numbers")
    encoded = column.dictionary_encode().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    labels = encoded.dictionary.cast(pa.string()).to_pylist()
    for code, label in enumerate(labels):
        wrong = _what_is_wrong(label)
        if wrong:
            table.fail(int(np.argmax(codes == code)), f"{name} {wrong}")
    return codes, labels


def _what_is_wrong(label: str) -> str | None:
    if not label.strip():
        return "is missing"
    if "\n" in label or "\r" in label:
        return "holds a line break (a quote that is never closed?)"
    return None


def ratings(table: Table, name: str) -> np.ndarray:
    """The column as float32 `[N]`, all finite.

    Raises:
        UserError: a value is missing or is not a finite number.
    """
    column = _present(table, name)
    expected = "a finite number"
    values = _cast(table, name, column, pa.float64(), expected).to_numpy()
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused
        values = values.astype(np.float32)
    _refuse(table, name, column, ~np.isfinite(values), expected)
    return values


def times(table: Table, name: str, unit: str) -> np.ndarray:
    """The column as seconds since 1970 in UTC, int64 `[N]`; fractions are cut off.

    Numbers count in `unit` (s, ms, us or ns); text may be ISO 8601 dates instead, which are
    UTC unless they state an offset; Parquet's own dates and times are taken as they are.

    Raises:
        UserError: a value is missing, is neither, or lies before 1970 or after 2099.
    """
    column = _present(table, name)
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        unit = "us"
        values = column.cast(pa.timestamp(unit), safe=False).cast(pa.int64()).to_numpy()
    elif _is_text(column.type) and pc.match_substring_regex(column[0], DATE).as_py():
        unit = "us"
        values = _dates(table, name, column)
    else:
        values = _time_numbers(table, name, column, unit)
    seconds = np.floor_divide(values, PER_SECOND[unit])
    outside = (seconds < 0) | (seconds >= LATEST)
    if outside.any():
        row = int(np.argmax(outside))
        hint = _unit_hint(int(values[row]), unit)
        _wrong(table, name, column, row, f"a time from 1970 to 2099{hint}")
    return seconds


def _time_numbers(table: Table, name: str, column: pa.ChunkedArray, unit: str) -> np.ndarray:
    """Numbers of any type as int64, in the same unit."""
    try:
        return column.cast(pa.int64()).to_numpy()
    except pa.ArrowException:
        expected = f"a time as a number (data.time_unit: {unit}) or as an ISO 8601 date"
        values = _cast(table, name, column, pa.float64(), expected).to_numpy()
        _refuse(table, name, column, ~(np.abs(values) < 2**62), expected)
        return np.floor(values).astype(np.int64)


def _dates(table: Table, name: str, column: pa.ChunkedArray) -> np.ndarray:
    """ISO 8601 text as int64 microseconds since 1970."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", tz="UTC")):
        try:
            return column.cast(kind).cast(pa.int64()).to_numpy()
        except pa.ArrowException:
            continue  # some values state an offset and others do not, or one is wrong
    text = column.to_pandas()
    dates = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")
    wrong = dates.isna() | ~text.str.match(DATE)  # pandas would take "now" for a date
    _refuse(table, name, column, wrong.to_numpy(), "an ISO 8601 date such as 2024-03-01T08:00:00Z")
    return dates.astype("datetime64[us, UTC]").astype(np.int64).to_numpy()


def _unit_hint(value: int, unit: str) -> str:
    """Which finer unit would make sense of a time that is too large."""
    for finer, per_second in PER_SECOND.items():
        if per_second > PER_SECOND[unit] and 0 < value // per_second < LATEST:
            day = datetime.fromtimestamp(value // per_second, tz=UTC).date()
            return f"; with data.time_unit: {finer} it would be {day}"
    return ""


def _present(table: Table, name: str) -> pa.ChunkedArray:
    """The column, after a check that no value is null; text is stripped of dictionaries."""
    column = table.columns[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        table.fail(pc.index(column.is_null(), True).as_py(), f"{name} is missing")
    return column


def _cast(
    table: Table, name: str, column: pa.ChunkedArray, kind: pa.DataType, expected: str
) -> pa.ChunkedArray:
    """Convert a column; on failure name the first value that does not convert."""
    if _is_text(column.type):
        column = pc.utf8_trim_whitespace(column)
    try:
        return column.cast(kind)
    except pa.ArrowNotImplementedError:
        table.fail(0, f"{name} has type {column.type}, expected {expected}")
    except pa.ArrowInvalid:
        _wrong(table, name, column, _first_failure(column, kind), expected)


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


def _refuse(
    table: Table, name: str, column: pa.ChunkedArray, wrong: np.ndarray, expected: str
) -> None:
    if wrong.any():
        _wrong(table, name, column, int(np.argmax(wrong)), expected)


def _wrong(table: Table, name: str, column: pa.ChunkedArray, row: int, expected: str) -> NoReturn:
    value = column[row].as_py()
    if isinstance(value, str) and not value.strip():
        table.fail(row, f"{name} is missing")
    shown = repr(value[:40]) if isinstance(value, str) else str(value)
    table.fail(row, f"{name} is {shown}, expected {expected}")


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
