"""Times as whole numbers, as fine as the source gives them, in a unit that goes with them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.preparing.columns import (
    cast,
    is_number,
    is_text,
    present,
    refuse,
    refuse_rounded,
    refuse_type,
    trimmed,
    wrong,
)
from sasrec.preparing.tables import Table
from sasrec.preparing.time_formats import (
    WAYS,
    by_pattern,
    form_of,
    iso_text,
    spreadsheet_seconds,
)
from sasrec.preparing.time_range import PER_SECOND, check_range, could_be_time, refuse_number
from sasrec.sources.local_params import AUTO

DATE = r"^\d{4}-\d"
ISO_8601 = (
    r"^\d{4}-\d{2}-\d{2}"
    r"([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?\s?(Z|z|[+-]\d{2}(:?\d{2})?)?|[T ]\d{2})?$"
)
WHOLE = r"^-?\d{1,18}$"
TOO_FINE = r"\.\d{10,}"
UNITS = tuple(PER_SECOND)


@dataclass(frozen=True)
class Times:
    """int64 `[N]` since 1970 in UTC, in one of the units s, ms, us, ns."""

    values: np.ndarray
    unit: str


def times(table: Table, name: str, unit: str, form: str = AUTO) -> Times:
    """The column's times, none rounded.

    `form` is data.time_format; of auto holds:

    Numbers count in `unit`; where some have decimals, all are returned in the coarsest finer
    unit that holds each exactly. Text may be ISO 8601 dates instead, which are UTC unless they
    state an offset; fractions of a second choose the unit. Parquet's own times keep theirs, and
    its dates become seconds.

    Raises:
        UserError: a value is missing, is no time, has digits beyond ns, or lies before 1971 or
            after 2099; the message says what it might be instead.
    """
    column = present(table, name)
    kind = column.type
    if pa.types.is_timestamp(kind):
        found, dates = Times(column.cast(pa.int64()).to_numpy(), kind.unit), True
    elif form != AUTO and not pa.types.is_date(kind):
        found, dates = _by_form(table, name, form), True
    elif pa.types.is_date(kind):
        found, dates = _days(column), True
    elif is_text(kind) and pc.match_substring_regex(trimmed(column[:1])[0], DATE).as_py():
        found, dates = _iso_dates(table, name, column), True
    elif is_number(kind) or is_text(kind):
        found, dates = _numbers(table, name, column, unit), False
    else:
        refuse_type(table, name, "a time: a number, an ISO 8601 date, or Parquet's own time stamp")
    check_range(table, name, found.values, found.unit, None if dates else unit)
    return found


def time_check(unit: str, form: str = AUTO) -> Callable[[str], bool]:
    """Whether a text may be a time, when numbers count in `unit` or dates are in a form."""
    if form != AUTO:
        return lambda text: sum(character.isdigit() for character in text) >= 4
    return lambda text: could_be_time(text.strip(), unit)


def _by_form(table: Table, name: str, form: str) -> Times:
    """Times in one of the forms that only data.time_format tells."""
    if form == "spreadsheet":
        return Times(spreadsheet_seconds(table, name), "s")
    if form in WAYS:
        return _iso_dates(table, name, iso_text(table, name, form))
    values, unit = by_pattern(table, name, form)
    return _coarsest(values, unit, "s")


def _days(column: pa.ChunkedArray) -> Times:
    if pa.types.is_date32(column.type):
        days = column.cast(pa.int32()).to_numpy().astype(np.int64)
        return Times(days * 86_400, "s")
    return _coarsest(column.cast(pa.int64()).to_numpy(), "ms", "s")


def _numbers(table: Table, name: str, column: pa.ChunkedArray, unit: str) -> Times:
    """Numbers of any type, exactly."""
    digits = {"s": 9, "ms": 6, "us": 3, "ns": 0}[unit]
    decimals = f"up to {digits} decimals" if digits else "no decimals"
    expected = f"a time as a number (data.time_unit: {unit}, {decimals}) or as an ISO 8601 date"
    kind = column.type
    if is_text(kind):
        expected += "; for dates in another form set data.time_format"
    if is_text(kind) and pc.all(pc.match_substring_regex(column, WHOLE)).as_py():  # the usual case
        return Times(column.cast(pa.int64()).to_numpy(), unit)
    refuse_rounded(table, name, column)
    _refuse_other_forms(table, name, column)
    if pa.types.is_integer(kind):
        return Times(cast(table, name, column, pa.int64(), expected).to_numpy(), unit)
    if pa.types.is_floating(kind):
        if kind.bit_width < 64:  # 24 bits hold no time of today: it was rounded to minutes
            refuse_type(table, name, "64 bits: shorter ones have lost digits of the time")
        values = column.to_numpy()
        refuse(table, name, column, ~(np.abs(values) < 2**63), expected)
        whole = values.astype(np.int64)
        if np.array_equal(whole, values):
            return Times(whole, unit)
        column = column.cast(pa.string())  # the shortest digits that mean this number
    exact = cast(table, name, column, pa.decimal128(38, digits), expected)
    nanoseconds, fits = _int64_of_decimals(exact)
    if not fits.all():
        row = int(np.argmin(fits))
        refuse_number(table, name, row, float(exact[row].as_py()), unit)
    return _coarsest(nanoseconds, "ns", unit)


def _refuse_other_forms(table: Table, name: str, column: pa.ChunkedArray) -> None:
    """Refuse a date that data.time_format has a name for, with that name."""
    if not is_text(column.type):
        return
    first = trimmed(column[:1])[0].as_py()
    form = form_of(first, column)
    if form:
        wrong(table, name, 0, f"a number or an ISO 8601 date; set data.time_format: {form}")


def _int64_of_decimals(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The integers behind decimals, as int64, and which of them are that small."""
    words = [np.empty((0, 2), dtype=np.int64)]
    for chunk in column.chunks:
        stored = np.frombuffer(chunk.buffers()[1], dtype="<i8")
        first = 2 * chunk.offset
        words.append(stored[first : first + 2 * len(chunk)].reshape(-1, 2))
    low, high = np.concatenate(words).T
    return low, high == low >> 63


def _coarsest(values: np.ndarray, unit: str, coarsest: str) -> Times:
    """The same times in the coarsest unit, from `coarsest` on, that holds each exactly."""
    for coarser in UNITS[UNITS.index(coarsest) : UNITS.index(unit)]:
        ratio = PER_SECOND[unit] // PER_SECOND[coarser]
        if not (values % ratio).any():
            return Times(values // ratio, coarser)
    return Times(values, unit)


def _iso_dates(table: Table, name: str, column: pa.ChunkedArray) -> Times:
    """ISO 8601 text, in the coarsest unit that holds every fraction."""
    column = trimmed(column)
    for zone in (None, "UTC"):
        for unit in UNITS:
            try:
                values = column.cast(pa.timestamp(unit, zone)).cast(pa.int64()).to_numpy()
            except pa.ArrowInvalid:
                continue  # finer fractions; or some state an offset and others do not
            return _coarsest(values, unit, "s")
    return _mixed_iso_dates(table, name, column)


def _mixed_iso_dates(table: Table, name: str, column: pa.ChunkedArray) -> Times:
    """Dates of which some state an offset and others do not, or one is wrong."""
    example = "an ISO 8601 date such as 2024-03-01T08:00:00Z"
    fine = pc.match_substring_regex(column, TOO_FINE).to_numpy()
    refuse(table, name, column, fine, f"{example}, with at most 9 decimals")
    wellformed = pc.match_substring_regex(column, ISO_8601).to_numpy()
    refuse(table, name, column, ~wellformed, example)
    dates = pd.to_datetime(column.to_pandas(), format="ISO8601", utc=True, errors="coerce")
    refuse(table, name, column, dates.isna().to_numpy(), f"{example}, from 1971 to 2099")
    unit = dates.dt.unit
    return _coarsest(dates.astype(np.int64).to_numpy(), unit, "s")
