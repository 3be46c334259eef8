"""A folder of files of one kind as one table."""

from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from sasrec.base.errors import UserError
from sasrec.preparing.tables import Table, first_line

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def read_parts(
    folder: Path, label: str, names: Sequence[str], read: Callable[[Path, str, list[str]], Table]
) -> Table:
    """The rows of all files below `folder`, in the order of their paths.

    Args:
        read: reads the named columns of one file, given its path and label.

    A folder `day=2024-03-01` gives the files in it a column `day`, as Spark and Hive mean it.

    Raises:
        UserError: a file cannot be read, or a column has types that do not go together.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    tables = []
    for path in paths:
        part = path.relative_to(folder)
        known = {name: value for name, value in _partition(part).items() if name in names}
        table = read(path, f"{label}, {part}", [name for name in names if name not in known])
        for name, value in known.items():
            column = pa.array([value] * table.columns.num_rows, pa.string())
            table = table.with_column(name, pa.chunked_array([column]))
        tables.append(table)
    return _joined(tables, [str(path.relative_to(folder)) for path in paths], label)


def _partition(part: Path) -> dict[str, str | None]:
    """The columns that the names of folders state; %3A in them is a colon, as Spark writes it."""
    pairs = (folder.partition("=") for folder in part.parts[:-1] if "=" in folder)
    return {
        unquote(name): None if value == NO_VALUE else unquote(value) for name, _, value in pairs
    }


def _joined(tables: list[Table], parts: list[str], label: str) -> Table:
    columns = [table.columns for table in tables]
    try:
        whole = pa.concat_tables(columns, promote_options="permissive")
    except (pa.ArrowException, TypeError) as error:
        raise UserError(f"{label}: {_conflict(columns, parts) or first_line(error)}") from None
    starts = np.cumsum([0, *(table.columns.num_rows for table in tables)])

    def where(row: int) -> str:
        part = int(np.searchsorted(starts, row, side="right")) - 1
        return f"{parts[part]}, {tables[part].where(row - int(starts[part]))}"

    notices = tuple(notice for table in tables for notice in table.notices)
    repeated = sum(table.repeated_headers for table in tables)
    return Table(whole, label, where, repeated, notices)


def _conflict(columns: list[pa.Table], parts: list[str]) -> str | None:
    """The first column that two parts have in types that do not go together."""
    for number in range(1, len(columns)):
        for name in columns[0].column_names:
            pair = [columns[0].select([name]), columns[number].select([name])]
            try:
                pa.concat_tables(pair, promote_options="permissive")
            except (pa.ArrowException, TypeError):
                one, two = (table.schema.field(name).type for table in pair)
                return (
                    f"the column {name!r} has type {one} in {parts[0]} and {two} in "
                    f"{parts[number]}; write it in one type"
                )
    return None
