"""Reading ranks.csv, each user's ranks, as `evaluate` writes it or as a user's own tool may."""

import io
import re

import numpy as np
import pandas as pd

from sasrec.errors import UserError

_SAMPLED = re.compile(r"sampled_\d+")


def read_rank_table(content: bytes, where: str) -> pd.DataFrame:
    """A row a user, sorted by user: user, item (the target), sampled_N, full; all float64.

    Args:
        content: of the CSV file; other columns are left out.
        where: names the file in errors.

    Raises:
        UserError: not CSV, a column is missing, a number is not finite or under 1, a user occurs
            twice, or there are fewer than two users.
    """
    try:
        table = pd.read_csv(io.BytesIO(content), skip_blank_lines=False, index_col=False)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{where} is not valid CSV: {reason}") from None
    sampled = [column for column in table.columns if _SAMPLED.fullmatch(column)]
    if len(sampled) != 1 or not {"user", "item", "full"} <= set(table.columns):
        raise UserError(
            f"{where} has the columns {', '.join(table.columns)}: expected user, item, one "
            "sampled_N (such as sampled_100) and full"
        )
    columns = ("user", "item", sampled[0], "full")
    table = pd.DataFrame({column: _numbers(table[column], where) for column in columns})
    if len(table) < 2:
        raise UserError(f"{where} holds {len(table)} user(s), expected two or more")
    repeated = table["user"].duplicated()
    if repeated.any():
        row = int(repeated.argmax())
        raise UserError(f"{where} line {row + 2}: user {table['user'][row]:.0f} occurs again")
    return table.sort_values("user", ignore_index=True)


def protocols(table: pd.DataFrame) -> tuple[str, str]:
    """The names of the columns that hold ranks: sampled_N and full."""
    sampled, full = table.columns[2:]
    return sampled, full


def _numbers(column: pd.Series, where: str) -> pd.Series:
    """Ranks, users and items alike are numbers from 1."""
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    wrong = ~((numbers >= 1) & np.isfinite(numbers))
    if wrong.any():
        row = int(wrong.argmax())
        raise UserError(
            f"{where} line {row + 2}: {column.name} is {column[row]}, expected a number from 1 on"
        )
    return numbers
