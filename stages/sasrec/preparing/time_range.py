"""Times from 1971 to 2099; and what a number that lies elsewhere, or looks odd, may be."""

import re
from datetime import UTC, datetime
from typing import NoReturn

import numpy as np

from sasrec.preparing.columns import shown, wrong
from sasrec.preparing.tables import Table
from sasrec.preparing.time_formats import SPREADSHEET_DAYS

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Seconds since 1970. A number of the year 1970 is a small one: a date as digits, a day number,
# a missing time, the wrong unit.
EARLIEST = int(datetime(1971, 1, 1, tzinfo=UTC).timestamp())
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
CALENDAR = {8: "YYYYMMDD", 10: "YYYYMMDDhh", 12: "YYYYMMDDhhmm", 14: "YYYYMMDDhhmmss"}
SPAN = "a time from 1971 to 2099"
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,2})?")


def check_range(
    table: Table, name: str, values: np.ndarray, unit: str, declared: str | None
) -> None:
    """Refuse times that cannot be right: outside of 1971 to 2099, or dates written as digits.

    `values` count in `unit`; `declared` is data.time_unit, None where the source states the unit.
    """
    per_second = PER_SECOND[unit]
    outside = (values < EARLIEST * per_second) | (values >= LATEST * per_second)
    if outside.any():
        row = int(np.argmax(outside))
        value = int(values[row])
        if declared is None:
            early = 0 <= value < EARLIEST * per_second
            wrong(table, name, row, SPAN + " (a missing time, written as 0?)" * early)
        whole, part = divmod(value, per_second // PER_SECOND[declared])
        refuse_number(table, name, row, whole if part == 0 else whole + 0.5, declared)
    if declared is not None and unit == declared:
        _refuse_digits(table, name, values)


def refuse_number(table: Table, name: str, row: int, value: float, unit: str) -> NoReturn:
    """Refuse a number that is no time in its unit, and say what it may be."""
    wrong(table, name, row, f"{SPAN}{_hint(value, unit)}")


def could_be_time(text: str, unit: str) -> bool:
    """Whether a text looks like a time that `check_range` lets pass."""
    if NUMBER.fullmatch(text):
        return EARLIEST <= float(text) / PER_SECOND[unit] < LATEST
    return re.match(r"(19[7-9]|20)\d+-\d\d-\d\d", text) is not None


def _hint(value: float, unit: str) -> str:
    """What a number may be that is no time in its unit."""
    pattern = _calendar_pattern(value)
    if pattern:
        return f"; it looks like {pattern}: set data.time_format: compact"
    for other, per_second in PER_SECOND.items():
        if other != unit and EARLIEST <= value / per_second < LATEST:
            day = datetime.fromtimestamp(value // per_second, tz=UTC).date()
            return f"; with data.time_unit: {other} it would be {day}"
    if SPREADSHEET_DAYS[0] <= value < SPREADSHEET_DAYS[1]:
        day = datetime.fromtimestamp((value - SPREADSHEET_DAYS[0]) * 86_400, tz=UTC).date()
        return (
            f"; as a spreadsheet's day number it would be {day}: set data.time_format: spreadsheet"
        )
    if value == 0:
        return " (a missing time, written as 0?)"
    if value > 0:
        return (
            "; if the numbers only order rows, name the column in data.columns.order "
            "and set data.columns.timestamp: null"
        )
    return ""


def _calendar_pattern(value: float) -> str | None:
    """The way in which a number is a date and time by its digits, or None."""
    if value != int(value):
        return None
    digits = str(int(value))
    if digits[:2] not in ("19", "20") or not _calendar_digits(np.array([int(value)]))[0]:
        return None
    return CALENDAR[len(digits)]


def _refuse_digits(table: Table, name: str, values: np.ndarray) -> None:
    """Refuse numbers that are all dates by their digits: 2020070512 is a second of 2034 too.

    By chance a number is so in one of a hundred cases; few are not judged.
    """
    some = np.unique(values[:1000])
    if len(some) >= 5 and _calendar_digits(some).all() and _calendar_digits(values).all():
        pattern = CALENDAR[len(str(int(values[0])))]
        table.fail(
            0,
            f"{name!r} is {shown(table.columns[name][0])}, and like it all look like {pattern}: "
            "set data.time_format: compact",
        )


def _calendar_digits(values: np.ndarray) -> np.ndarray:
    """Which numbers are YYYYMMDD, or that with hours, minutes and seconds, from 1971 to 2099."""
    found = np.zeros(len(values), dtype=bool)
    for length in CALENDAR:
        right = (values >= 19710101 * 10 ** (length - 8)) & (values < 21000101 * 10 ** (length - 8))
        rest = values
        for limit in (60, 60, 24)[(14 - length) // 2 :]:
            right &= rest % 100 < limit
            rest = rest // 100
        day, month = rest % 100, rest // 100 % 100
        found |= right & (day >= 1) & (day <= 31) & (month >= 1) & (month <= 12)
    return found
