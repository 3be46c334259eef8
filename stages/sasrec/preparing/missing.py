"""Rows that lack a time, a user or an item: left out and counted, where that is asked for."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.preparing.columns import is_number, is_text, trimmed
from sasrec.preparing.tables import Table

PLACEHOLDERS = frozenset(
    ("na", "n/a", "#n/a", "nan", "null", "<null>", "(null)", "none", "nil", "\\n", "unknown",
     "undefined", "missing", "?", "-")
)  # fmt: skip
# What stands for no time beside these: zero as a number, and as a date of MySQL.
NO_TIME = frozenset(("nat", "0", "0.0", "-1", "0000-00-00", "0000-00-00 00:00:00"))


def without_missing_ids(table: Table, names: Sequence[str]) -> tuple[Table, int]:
    """The rows that have a value in all these columns, and how many have not."""
    return _without(table, [_missing(table.columns[name], PLACEHOLDERS) for name in names])


def without_missing_times(table: Table, name: str) -> tuple[Table, int]:
    """The rows that have a time, and how many have not."""
    column = table.columns[name]
    missing = _missing(column, PLACEHOLDERS | NO_TIME)
    if is_number(column.type):
        # As float64, since not every type of numbers holds -1.
        zero = pc.is_in(column.cast(pa.float64(), safe=False), pa.array([0.0, -1.0]))
        missing |= zero.to_numpy(zero_copy_only=False)
    return _without(table, [missing])


def _without(table: Table, missing: Sequence[np.ndarray]) -> tuple[Table, int]:
    keep = ~np.logical_or.reduce(missing)
    kept = table.keeping(keep)
    if kept.columns.num_rows == 0:
        table.fail(0, "this row and all others lack a value that is needed: none is left")
    return kept, int(np.count_nonzero(~keep))


def _missing(column: pa.ChunkedArray, placeholders: frozenset[str]) -> np.ndarray:
    """Which values are null, are not a number, or are text that stands for none."""
    found = pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False)
    if is_text(column.type):
        words = pa.array(["", *sorted(placeholders)], column.type)
        text = pc.utf8_lower(trimmed(column))
        found = found | pc.is_in(text, words).to_numpy(zero_copy_only=False)
    return found
