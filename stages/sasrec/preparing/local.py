"""The user's own files, whatever their format, as tables: the interactions, and the item file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.base.texts import is_number
from sasrec.preparing.delimiters import Checks
from sasrec.preparing.file_kinds import kind_of
from sasrec.preparing.json_tables import read_json
from sasrec.preparing.local_text import Wanted, position_name, read_local_text
from sasrec.preparing.parquet_tables import read_parquet
from sasrec.preparing.parts import read_parts
from sasrec.preparing.tables import Table
from sasrec.preparing.times import time_check
from sasrec.sources.local_params import Columns, Text


@dataclass(frozen=True)
class Reading:
    """What to read of a file or folder, and how.

    Attributes:
        label: its name in messages.
        keys: the columns, by name or by position.
        text: how delimited text is written.
        checks: whether a text may be a value of a column, by the column's name.
        time: the column of times.
        joined: what to put between the entries of a list; None makes a row of each.
    """

    label: str
    keys: Sequence[str | int]
    text: Text
    checks: Checks
    time: str | None = None
    joined: str | None = None


def name_of(key: str | int) -> str:
    """What messages and tables call a column."""
    return position_name(key) if isinstance(key, int) else key


def named(columns: Columns) -> Columns:
    """The same columns, those by position under the names that tables give them."""
    plain = {key: name_of(value) if value is not None else None
             for key, value in dict(columns).items() if key != "order"}  # fmt: skip
    return columns.model_copy(update=plain | {"order": [name_of(one) for one in columns.orders]})


def read_any(path: Path, reading: Reading) -> Table:
    """Read a file, or a folder of files of one kind.

    Raises:
        UserError: it cannot be read as it is; the message says where and why.
    """
    names = [name_of(key) for key in reading.keys]
    if not path.is_dir():
        return READERS[kind_of(path, reading.label)](path, reading.label, names, reading)
    kinds: dict[str, str] = {}  # and the first file of each

    def read(part: Path, label: str, some: list[str]) -> Table:
        kind = kind_of(part, label)
        kinds.setdefault(kind, label)
        if len(kinds) > 1:
            one = next(iter(kinds))
            raise UserError(
                f"{reading.label}: expected files of one kind, but {label} is {kind}, and "
                f"{kinds[one]} is {one}"
            )
        return READERS[kind](part, label, some, reading)

    return read_parts(path, reading.label, names, read)


def checks_of(columns: Columns, time_unit: str, time_format: str) -> Checks:
    """For each (named) column whether a text may be a value of it."""
    checks: dict[str, Callable[[str], bool]] = dict.fromkeys(
        (str(columns.user), str(columns.item)), _is_present
    )
    if columns.timestamp is not None:
        checks[str(columns.timestamp)] = time_check(time_unit, time_format)
    if columns.rating is not None:
        checks[str(columns.rating)] = _is_rating
    return checks | dict.fromkeys(map(str, columns.orders), is_number)


def _is_present(text: str) -> bool:
    return text.strip() != ""


def _is_rating(text: str) -> bool:
    return is_number(text.replace(",", ".", 1))  # a decimal comma, as `columns.ratings` reads it


def _text(path: Path, label: str, names: list[str], reading: Reading) -> Table:
    positions = {name_of(key): key for key in reading.keys if isinstance(key, int)}
    places = {name: positions.get(name) for name in names}
    checks = {name: check for name, check in reading.checks.items() if name in names}
    time = reading.time if reading.time in names else None
    return read_local_text(path, Wanted(places, checks, time), reading.text, label)


def _json(path: Path, label: str, names: list[str], reading: Reading) -> Table:
    keys = {name_of(key): key for key in reading.keys}
    return read_json(path, {name: keys[name] for name in names}, label, reading.joined)


def _parquet(path: Path, label: str, names: list[str], reading: Reading) -> Table:
    if any(isinstance(key, int) for key in reading.keys):
        raise UserError(f"{label} is Parquet, which names its columns: give data.columns by names")
    return read_parquet(path, names, label, reading.joined)


READERS: dict[str, Callable[[Path, str, list[str], Reading], Table]] = {
    "text": _text,
    "json": _json,
    "parquet": _parquet,
}
