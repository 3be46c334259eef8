"""Columns of one file as Arrow reads them, which can say where a row stands in that file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn, Self

import numpy as np
import pyarrow as pa

from sasrec.base.errors import UserError


class MissingValueError(UserError):
    """A value that is needed is not there."""


@dataclass(frozen=True)
class Table:
    """Columns of one file.

    Attributes:
        columns: the columns that were asked for; text files give strings.
        label: the file's name in messages.
        where: from a row, counted from 0, to its place: "line 7" or "row 7" (from 1).
        repeated_headers: rows of the file that repeated its header and are not in `columns`.
        notices: sentences on how the file was read.
    """

    columns: pa.Table
    label: str
    where: Callable[[int], str]
    repeated_headers: int = 0
    notices: tuple[str, ...] = ()

    def noticing(self, notice: str) -> Self:
        """The same table with one more notice."""
        return replace(self, notices=(*self.notices, notice))

    def with_column(self, name: str, column: pa.ChunkedArray) -> Self:
        """The same rows with one more column."""
        return replace(self, columns=self.columns.append_column(name, column))

    def without(self, *names: str) -> Self:
        """The same rows with fewer columns, which frees their memory."""
        return replace(self, columns=self.columns.drop_columns(list(names)))

    def keeping(self, keep: np.ndarray) -> Self:
        """The rows that a mask selects, which know their places in the file."""
        if keep.all():
            return self
        kept = np.flatnonzero(keep)
        where = self.where
        columns = self.columns.filter(pa.array(keep))
        return replace(self, columns=columns, where=lambda row: where(int(kept[row])))

    def fail(self, row: int, message: str) -> NoReturn:
        """Raise a UserError about one row, counted from 0."""
        raise UserError(f"{self.label}, {self.where(row)}: {message}")

    def lacks(self, row: int, name: str) -> NoReturn:
        """Raise MissingValueError about a value of one row, counted from 0."""
        raise MissingValueError(f"{self.label}, {self.where(row)}: {name!r} is missing")


def check_names(names: Sequence[str], found: list[str], label: str, hint: str = "") -> None:
    """Refuse a file that lacks one of the columns `names`, or has it more than once."""
    for name in names:
        if found.count(name) != 1:
            what = "no column" if name not in found else "more than one column"
            raise UserError(f"{label}: {what} {name!r}; its columns are {listed(found)}{hint}")


def check_rows(table: Table) -> Table:
    """Refuse a file without rows."""
    if table.columns.num_rows == 0:
        raise UserError(f"{table.label} has no rows below its header")
    return table


def listed(names: Sequence[str]) -> str:
    """Names of columns so that spaces in them are seen; of very many, the first."""
    shown = ", ".join(repr(name[:60]) for name in names[:40])
    return f"{shown} and {len(names) - 40} more" if len(names) > 40 else shown


def first_line(error: Exception) -> str:
    """What a library says of an error, short enough for a sentence."""
    text = str(error).partition("\n")[0].strip()
    return text[:200] or type(error).__name__
