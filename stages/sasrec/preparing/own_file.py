"""The user's own CSV, TSV or Parquet file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sasrec.preparing.parquet_tables import read_parquet
from sasrec.preparing.source import Source, from_table, named, only_file
from sasrec.preparing.text_rows import TextFormat
from sasrec.preparing.text_tables import read_text
from sasrec.preparing.times import time_check
from sasrec.sources.params import Columns


@dataclass(frozen=True)
class LocalLayout:
    """How to read the user's own file.

    Attributes:
        label: its name in messages.
        columns: the names of its columns.
        time_unit: what numeric times count.
        quoted: whether fields may be quoted, or quotes are plain characters.
    """

    label: str
    columns: Columns
    time_unit: str
    quoted: bool


def read_local(raw: Path, layout: LocalLayout) -> Source:
    """The user's own CSV, TSV or Parquet file, by the names of its columns."""
    path = only_file(raw, "interactions.*")
    columns, label = layout.columns, layout.label
    names = named(columns)
    if path.suffix == ".parquet":
        table = read_parquet(path, names, label)
    else:
        form = TextFormat("\t" if path.suffix == ".tsv" else ",", quoted=layout.quoted)
        checks = _checks(columns, layout.time_unit)
        table = read_text(path, names, form, label, checks, columns.timestamp)
    return from_table(table, columns, layout.time_unit)


def _checks(columns: Columns, time_unit: str) -> dict[str, Callable[[str], bool]]:
    """For each column whether a text may be a value of it."""
    checks: dict[str, Callable[[str], bool]] = {
        name: lambda text: text.strip() != "" for name in (columns.user, columns.item)
    }
    if columns.timestamp is not None:
        checks[columns.timestamp] = time_check(time_unit)
    numeric = [name for name in (columns.rating, *columns.orders) if name is not None]
    return checks | dict.fromkeys(numeric, _is_number)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
