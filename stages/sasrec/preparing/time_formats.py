"""Ways of writing dates that data.time_format names; each becomes ISO 8601, or seconds.

Only a name can tell 03/04/2020 in April from one in March, so nothing is guessed: a text in one
of these ways is refused with the name that reads it.
"""

import re
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.preparing.columns import is_number, is_text, numbers_or_text, refuse, trimmed
from sasrec.preparing.tables import Table

SPREADSHEET_DAYS = (25_569, 73_051)  # 1970 and 2100, in days since 1899-12-30
DAY = 86_400
CLOCK = r"([T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)?"
PAIR = r"^(\d{2})[./-](\d{2})[./-](\d{4})"


def iso_text(table: Table, name: str, form: str) -> pa.ChunkedArray:
    """A column of dates in the form `day_first`, `month_first` or `compact` as ISO 8601 text.

    Raises:
        UserError: a value is not in this form.
    """
    pattern, iso, example = WAYS[form]
    expected = f"{example} (data.time_format: {form})"
    column = numbers_or_text(table, name, expected)
    if is_number(column.type):
        column = column.cast(pa.string())
    text = _padded(trimmed(column)) if form != "compact" else trimmed(column)
    good = pc.match_substring_regex(text, pattern).to_numpy(zero_copy_only=False)
    refuse(table, name, column, ~good, expected)
    for one, other in iso:
        text = pc.replace_substring_regex(text, one, other)
    return text


def spreadsheet_seconds(table: Table, name: str) -> np.ndarray:
    """Days as Excel counts them, as seconds since 1970, int64; rounded to a second.

    Raises:
        UserError: a value is no day number from 1970 to 2099.
    """
    first, stop = SPREADSHEET_DAYS
    expected = f"a day number from {first} to {stop - 1} (data.time_format: spreadsheet)"
    column = numbers_or_text(table, name, expected)
    if is_text(column.type):
        plain = pc.match_substring_regex(trimmed(column), r"^\d{1,9}([.,]\d*)?$")
        refuse(table, name, column, ~plain.to_numpy(zero_copy_only=False), expected)
        column = pc.replace_substring(trimmed(column), ",", ".")
    days = column.cast(pa.float64()).to_numpy()
    refuse(table, name, table.columns[name], ~((days >= first) & (days < stop)), expected)
    return np.rint((days - first) * DAY).astype(np.int64)


def by_pattern(table: Table, name: str, pattern: str) -> tuple[np.ndarray, str]:
    """Text as `pattern` (of strptime) reads it: int64 since 1970, and the unit; UTC but for %z.

    Raises:
        UserError: a value does not fit the pattern.
    """
    expected = f"a time like {pattern!r} (data.time_format)"
    column = numbers_or_text(table, name, expected)
    text = trimmed(column.cast(pa.string()) if is_number(column.type) else column)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = pd.to_datetime(text.to_pandas(), format=pattern, utc=True, errors="coerce")
        except (ValueError, re.error) as error:  # the pattern itself is wrong
            table.fail(0, f"data.time_format = {pattern!r}: {error}")
    refuse(table, name, column, found.isna().to_numpy(), expected)
    return found.astype(np.int64).to_numpy(), found.dt.unit


def form_of(text: str, column: pa.ChunkedArray) -> str | None:
    """The name of the form that `text`, and the column beside it, are in; None if none is."""
    found = [form for form in ("day_first", "month_first") if _fits(text, form)]
    if not found:
        return None
    if len(found) == 2 and is_text(column.type):
        padded = _padded(trimmed(column))
        decisive = {"day_first": r"^(1[3-9]|2\d|3[01])", "month_first": r"^\d\d[./-](1[3-9]|2\d|3)"}
        sure = [
            form
            for form, start in decisive.items()
            if pc.any(pc.match_substring_regex(padded, start)).as_py()
        ]
        found = sure or found
    return " or ".join(found)


def _fits(text: str, form: str) -> bool:
    date = re.match(r"\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4})", text)
    if date is None:
        return False
    day, month = (1, 3) if form == "day_first" else (3, 1)
    return 1 <= int(date[day]) <= 31 and 1 <= int(date[month]) <= 12


def _padded(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days, months and hours of one digit with a zero before it."""
    for one, other in (
        (r"^(\d)([./-])", r"0\1\2"),
        (r"^(\d\d[./-])(\d)([./-])", r"\10\2\3"),  # group 1, then a zero: groups have one digit
        (r"[ T](\d):", r" 0\1:"),
    ):
        text = pc.replace_substring_regex(text, one, other)
    return text


Way = tuple[str, list[tuple[str, str]], str]
WAYS: dict[str, Way] = {
    "day_first": (
        PAIR + CLOCK + "$",
        [(PAIR, r"\3-\2-\1")],
        "a date such as 31.12.2020 or 31/12/2020 14:05",
    ),
    "month_first": (
        PAIR + CLOCK + "$",
        [(PAIR, r"\3-\1-\2")],
        "a date such as 12/31/2020 or 12-31-2020 14:05",
    ),
    "compact": (
        r"^\d{8}([T ]?\d{2}(\d{2}(\d{2})?)?)?$",
        [
            (r"^(\d{4})(\d{2})(\d{2})", r"\1-\2-\3 "),
            (r"^(.{10}) $", r"\1"),
            (r"^(.{10}) [T ]?(\d{2})$", r"\1 \2:00"),
            (r"^(.{10}) [T ]?(\d{2})(\d{2})$", r"\1 \2:\3"),
            (r"^(.{10}) [T ]?(\d{2})(\d{2})(\d{2})$", r"\1 \2:\3:\4"),
        ],
        "a date such as 20201231, 2020123114 or 20201231140500",
    ),
}
