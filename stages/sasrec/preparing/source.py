"""What is read of one dataset: its interactions, and the details of users and items."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Details
from sasrec.preparing.columns import order_numbers, ratings
from sasrec.preparing.ids import ids
from sasrec.preparing.interactions import Interactions, dense_order, row_numbers
from sasrec.preparing.missing import without_missing_ids, without_missing_times
from sasrec.preparing.tables import MissingValueError, Table, check_rows
from sasrec.preparing.times import times
from sasrec.sources.local_params import AUTO, Columns


@dataclass(frozen=True)
class Source:
    """What one dataset's files hold, in their order.

    Attributes:
        interactions: one of each row that is not left out.
        users, items: what the source knows of them.
        left_out: how many rows were, by the reason: repeated_headers, missing_id, missing_time.
        notices: sentences on what may not be as it seems.
    """

    interactions: Interactions
    users: Details
    items: Details
    left_out: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """What the values of columns mean.

    Attributes:
        time_unit: what numeric times count.
        time_format: see data.time_format.
        drop_missing_ids, drop_missing_times: whether rows without them are left out.
    """

    time_unit: str = "s"
    time_format: str = AUTO
    drop_missing_ids: bool = False
    drop_missing_times: bool = False


def from_table(
    table: Table,
    columns: Columns,
    meaning: Meaning,
    users: Details | None = None,
    items: Details | None = None,
) -> Source:
    """Every row of a table, but those to leave out; a code is the raw id's order of appearance."""
    check_rows(table)
    table, missing = _with_values(table, columns, meaning)
    with _remedy("data.missing_id"):
        user = ids(table, str(columns.user))
        item = ids(table, str(columns.item))
    table = table.without(str(columns.user), str(columns.item))
    when = None
    if columns.timestamp is not None:
        with _remedy("data.missing_time"):
            when = times(table, str(columns.timestamp), meaning.time_unit, meaning.time_format)
        table = table.without(str(columns.timestamp))
    order = [order_numbers(table, str(name)) for name in columns.orders]
    if order and when is not None:
        order.insert(0, when.values)
    interactions = Interactions(
        user=user.codes,
        item=item.codes,
        timestamp=row_numbers(len(user.codes)) if when is None else when.values,
        rating=None if columns.rating is None else ratings(table, str(columns.rating)),
        time_unit=None if when is None else when.unit,
        order=dense_order(order) if order else None,
        user_ids=user.labels,
        item_ids=item.labels,
    )
    left_out = {"repeated_headers": table.repeated_headers, **missing}
    notices = table.notices + user.notices + item.notices
    return Source(interactions, users or Details(), items or Details(), left_out, notices)


@contextmanager
def _remedy(key: str) -> Iterator[None]:
    """Say of a missing value which key leaves its row out."""
    try:
        yield
    except MissingValueError as error:
        raise UserError(f"{error}; {key}: drop leaves such rows out, and counts them") from None


def _with_values(table: Table, columns: Columns, meaning: Meaning) -> tuple[Table, dict[str, int]]:
    """The rows that have what they need, and how many were left out for what they lack."""
    missing = {"missing_id": 0, "missing_time": 0}
    if meaning.drop_missing_ids:
        names = [str(columns.user), str(columns.item)]
        table, missing["missing_id"] = without_missing_ids(table, names)
    if meaning.drop_missing_times and columns.timestamp is not None:
        table, missing["missing_time"] = without_missing_times(table, str(columns.timestamp))
    return table, missing


def keys_of(columns: Columns) -> list[str]:
    """The names of the columns that are there."""
    return [str(key) for key in columns.given]


def only_file(raw: Path, pattern: str, but: str = "") -> Path:
    """The one file in `raw` that `pattern` means, not counting the one named `but`."""
    paths = [path for path in sorted(raw.glob(pattern)) if path.name != but]
    if len(paths) != 1:
        raise UserError(f"{raw} holds {len(paths)} files {pattern}, expected 1: run download.py")
    return paths[0]


def local_path(raw: Path, stem: str) -> Path | None:
    """The file `stem`, of any suffix, or the folder, that download made in `raw`; None if none."""
    paths = [path for path in sorted(raw.glob(f"{stem}*")) if path.name.partition(".")[0] == stem]
    if len(paths) > 1:
        raise UserError(f"{raw} holds {len(paths)} files {stem}.*, expected 1: run download.py")
    return paths[0] if paths else None
