"""What is read of one dataset: its interactions, and the details of users and items."""

from dataclasses import dataclass
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Details
from sasrec.preparing.columns import order_numbers, ratings
from sasrec.preparing.ids import ids
from sasrec.preparing.interactions import Interactions, dense_order, row_numbers
from sasrec.preparing.tables import Table
from sasrec.preparing.times import times
from sasrec.sources.params import Columns


@dataclass(frozen=True)
class Source:
    """What one dataset's files hold, in their order, nothing dropped but repeated headers.

    Attributes:
        interactions: one of each row.
        users, items: what the source knows of them.
        repeated_headers: how many rows repeated the header.
        notices: sentences on what may not be as it seems.
    """

    interactions: Interactions
    users: Details
    items: Details
    repeated_headers: int = 0
    notices: tuple[str, ...] = ()


def from_table(
    table: Table,
    columns: Columns,
    time_unit: str,
    users: Details | None = None,
    items: Details | None = None,
) -> Source:
    """Every row of a table; a code is the raw id's order of appearance."""
    user, item = ids(table, columns.user), ids(table, columns.item)
    when = None if columns.timestamp is None else times(table, columns.timestamp, time_unit)
    order = [order_numbers(table, name) for name in columns.orders]
    if order and when is not None:
        order.insert(0, when.values)
    interactions = Interactions(
        user=user.codes,
        item=item.codes,
        timestamp=row_numbers(len(user.codes)) if when is None else when.values,
        rating=None if columns.rating is None else ratings(table, columns.rating),
        time_unit=None if when is None else when.unit,
        order=dense_order(order) if order else None,
        user_ids=user.labels,
        item_ids=item.labels,
    )
    return Source(
        interactions,
        users or Details(),
        items or Details(),
        table.repeated_headers,
        user.notices + item.notices,
    )


def named(columns: Columns) -> list[str]:
    """The names of the columns that are there."""
    names = (columns.user, columns.item, columns.timestamp, columns.rating, *columns.orders)
    return [name for name in names if name is not None]


def only_file(raw: Path, pattern: str, but: str = "") -> Path:
    """The one file in `raw` that `pattern` means, not counting the one named `but`."""
    paths = [path for path in sorted(raw.glob(pattern)) if path.name != but]
    if len(paths) != 1:
        raise UserError(f"{raw} holds {len(paths)} files {pattern}, expected 1: run download.py")
    return paths[0]
