"""Reading ranks.csv, each user's ranks, as `evaluate` writes it or as a user's own tool may."""

import csv
import io
import math
import re

import numpy as np
import pandas as pd

from sasrec.base.errors import UserError

_SAMPLED = re.compile(r"sampled_(\d{1,9})", re.ASCII)
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_LARGEST_ID = (1 << 53) - 1  # beyond it, a float64 stands for several whole numbers


def read_rank_table(content: bytes, where: str) -> pd.DataFrame:
    """A row a user, sorted by user: user, item (the target), sampled_N, full; all float64.

    An empty field in sampled_N is NaN: a user without candidates, whom that protocol leaves out.

    Args:
        content: of the CSV file; other columns are left out.
        where: names the file in errors.

    Raises:
        UserError: not CSV, a column is missing or there twice, a number is not what it should be,
            a user occurs twice, there are fewer than two users, or fewer than two are ranked.
    """
    try:
        text = content.decode("utf-8-sig")
        rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in next(rows, [])]
        columns = _columns(header, where)
        places = [header.index(column) for column in columns]
        values = []
        for row in rows:
            line = f"{where} line {rows.line_num}"
            if len(row) != len(header):
                raise UserError(f"{line} has {len(row)} field(s), expected {len(header)}")
            fields = zip(columns, places, strict=True)
            values.append([_number(row[place], column, line) for column, place in fields])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{where} is not valid CSV: {error}") from None
    table = pd.DataFrame(np.array(values, np.float64).reshape(-1, len(columns)), columns=columns)
    return _checked(table, where)


def protocols(table: pd.DataFrame) -> tuple[str, str]:
    """The names of the columns that hold ranks: sampled_N and full."""
    sampled, full = table.columns[2:]
    return sampled, full


def _columns(header: list[str], where: str) -> list[str]:
    sampled = [column for column in header if _SAMPLED.fullmatch(column)]
    columns = ["user", "item", *sampled, "full"]
    if len(sampled) != 1 or [header.count(column) for column in columns] != [1] * len(columns):
        raise UserError(
            f"{where} has the columns {', '.join(header) or '(none)'}: expected each once user, "
            "item, one sampled_N (such as sampled_100) and full, with commas between"
        )
    return columns


def _number(field: str, column: str, line: str) -> float:
    """Users and items are whole numbers from 1, ranks are numbers from 1."""
    sampled = _SAMPLED.fullmatch(column)
    if sampled and not field.strip():
        return math.nan
    value = float(field) if _NUMBER.fullmatch(field.strip()) else math.nan
    expected, largest = "a number from 1 on", math.nextafter(math.inf, 0)
    if sampled:
        largest = int(sampled[1]) + 1.0
        expected = f"a rank from 1 to {largest:.0f}, or nothing for a user without candidates"
    elif column != "full":
        expected, largest = f"a whole number from 1 to {_LARGEST_ID}", _LARGEST_ID
        value = value if value.is_integer() else math.nan
    if not 1 <= value <= largest:
        raise UserError(f"{line}: {column} is {field[:60]!r}, expected {expected}")
    return value


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    if len(table) < 2:
        raise UserError(f"{where} holds {len(table)} user(s), expected two or more")
    repeated = table["user"].duplicated()
    if repeated.any():
        row = int(repeated.argmax())
        raise UserError(f"{where} line {row + 2}: user {table['user'][row]:.0f} occurs again")
    sampled, _ = protocols(table)
    ranked = int(table[sampled].notna().sum())
    if ranked < 2:
        raise UserError(f"{where}: {sampled} ranks {ranked} user(s), expected two or more")
    return table.sort_values("user", ignore_index=True)
