"""Tables of recommendations written one after the other: CSV, Parquet, lines of JSON."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sasrec.base.errors import UserError, printable
from sasrec.recommending.tables import BY, ITEM, LOST, RANK, SCORE, TITLE, USER, WHY

Write = Callable[[pd.DataFrame], None]
ROWS = 1 << 17  # of a row group of Parquet: many small ones are slow to read
REASON = {ITEM: pa.string(), TITLE: pa.string(), LOST: pa.float64()}
TYPES = {
    USER: pa.string(),
    RANK: pa.int32(),
    ITEM: pa.string(),
    TITLE: pa.string(),
    SCORE: pa.float32(),
    BY: pa.string(),
    WHY: pa.list_(pa.struct(REASON)),
}


def writer_of(path: Path) -> Callable[[Path], AbstractContextManager[Write]]:
    """What opens a file for tables in the format that the name `path` says.

    Raises:
        UserError: it says none.
    """
    try:
        return WRITERS[path.suffix.lower()]
    except KeyError:
        raise UserError(f"{path}: expected a name that ends in {' or '.join(WRITERS)}") from None


def csv_to(stream: TextIO, *, shown: bool = False) -> Write:
    """Append tables as CSV with one header; `why` is JSON in its field.

    Args:
        shown: on a terminal, where texts must not move anything.
    """
    started = False

    def write(table: pd.DataFrame) -> None:
        nonlocal started
        if WHY in table:
            table = table.assign(**{WHY: [json.dumps(one) for one in table[WHY]]})
        texts = [name for name in (USER, ITEM, TITLE) if shown and name in table]
        table = table.assign(**{name: table[name].map(printable) for name in texts})
        table.to_csv(stream, index=False, header=not started, lineterminator="\n")
        started = True

    return write


def json_to(stream: TextIO) -> Write:
    """Append a line of JSON a list: user and by (where the table has them), items."""

    def write(table: pd.DataFrame) -> None:
        for record in _records(table):
            stream.write(json.dumps(record) + "\n")

    return write


def _records(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    """One a list; a list begins at rank 1."""
    whose = [name for name in (USER, BY) if name in table]
    items = table.drop(columns=whose)
    # A float32 as short as it can be written, not with the digits of its conversion.
    rows = items.assign(**{SCORE: items[SCORE].to_numpy().astype(str).astype(float)})
    record: dict[str, object] | None = None
    for row, owner in zip(rows.to_dict("records"), table[whose].to_dict("records"), strict=True):
        if row[RANK] == 1:
            if record is not None:
                yield record
            record = owner | {"items": []}
        record["items"].append(row)
    if record is not None:
        yield record


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as stream:
        yield csv_to(stream)


@contextmanager
def _json_lines(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as stream:
        yield json_to(stream)


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    waiting: list[pa.Table] = []
    writer: pq.ParquetWriter | None = None

    def write(table: pd.DataFrame) -> None:
        schema = pa.schema({name: TYPES[name] for name in table.columns})
        waiting.append(pa.Table.from_pandas(table, schema, preserve_index=False))
        if sum(map(len, waiting)) >= ROWS:
            flush()

    def flush() -> None:
        nonlocal writer
        if waiting:
            rows = pa.concat_tables(waiting).replace_schema_metadata()
            writer = writer or pq.ParquetWriter(path, rows.schema)
            writer.write_table(rows)
            waiting.clear()

    try:
        yield write
        flush()
    finally:
        if writer is not None:
            writer.close()


WRITERS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
}


def text_to(stream: TextIO) -> Write:
    """Print a list as lines for people; what an item rests on stands under it."""

    def write(table: pd.DataFrame) -> None:
        texts = {name: table[name].map(printable) for name in (ITEM, TITLE) if name in table}
        left_out = [name for name in (USER, BY, WHY) if name in table]
        header, *lines = (
            table.drop(columns=left_out).assign(**texts).to_string(index=False).split("\n")
        )
        print(header, file=stream)
        for line, why in zip(lines, table.get(WHY, [[]] * len(lines)), strict=True):
            print(line, file=stream)
            if why:
                print(f"     because of {', '.join(map(_reason, why))}", file=stream)

    return write


def _reason(reason: dict[str, object]) -> str:
    name = printable(str(reason.get(TITLE) or reason[ITEM]))
    lost = reason[LOST]
    return f"{name} (the only item)" if lost is None else f"{name} ({lost:.2f})"
