"""Rows as a table for people, as wide as the terminal, or as CSV."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from sasrec.base.errors import printable
from sasrec.base.texts import is_number
from sasrec.comparing.overview.rows import Row

GAP = "  "
Column = list[str]  # the lines of the heading, bottom aligned, then a cell a row


def differing(rows: list[Row]) -> list[str]:
    """Names of the parameters that have two values or more among the rows that have them."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.params.items():
            values.setdefault(name, set()).add(json.dumps(value, sort_keys=True, default=str))
    return [name for name, found in values.items() if len(found) > 1]


def as_csv(rows: list[Row]) -> str:
    """Every column in full: name, commit, state, created, what differs, and metrics."""
    params, metrics = differing(rows), _metric_names(rows)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["name", "commit", "state", "created", *params, *metrics])
    for row in rows:
        cells = [_text(row.params[name]) if name in row.params else "" for name in params]
        numbers = [row.metrics.get(name, "") for name in metrics]
        writer.writerow([row.name, row.commit or "", row.state, row.created, *cells, *numbers])
    return stream.getvalue()


def as_table(rows: list[Row], width: int) -> str:
    """A line a row, an experiment below the commit that it starts from.

    A heading has a line for each part of its dotted name. What does not fit into `width` follows
    in another table below, with the names again.
    """
    params, metrics = differing(rows), _metric_names(rows)
    headings = [["experiment"], *(_parts(name) for name in params + metrics)]
    depth = max(map(len, headings))
    names = [f"{GAP if row.commit else ''}{row.name}" for row in rows]
    columns = [names, *([_text(row.params.get(name, "")) for row in rows] for name in params)]
    columns += [[_number(row.metrics.get(name)) for row in rows] for name in metrics]
    if any(row.state for row in rows):
        headings.insert(1, ["state"])
        columns.insert(1, [row.state for row in rows])
    full = [
        [""] * (depth - len(heading)) + heading + cells
        for heading, cells in zip(headings, columns, strict=True)
    ]
    numeric = [column[-len(rows) :] for column in full]
    padded = [
        _pad(column, right=any(cells) and all(map(is_number, filter(None, cells))))
        for column, cells in zip(full, numeric, strict=True)
    ]
    return "\n\n".join(_join(block, depth) for block in _blocks(padded, width))


def _blocks(columns: list[Column], width: int) -> Iterable[list[Column]]:
    """Columns that fit side by side; each block begins with the first column."""
    names, *others = columns
    block, used = [names], len(names[0])
    for column in others:
        needed = len(GAP) + len(column[0])
        if used + needed > width and len(block) > 1:
            yield block
            block, used = [names], len(names[0])
        block.append(column)
        used += needed
    yield block


def _join(columns: list[Column], depth: int) -> str:
    lines = [GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]
    rule = "-" * max(map(len, lines))
    return "\n".join([line for line in lines[:depth] if line] + [rule] + lines[depth:])


def _pad(column: Column, *, right: bool) -> Column:
    width = max(map(len, column))
    return [cell.rjust(width) if right else cell.ljust(width) for cell in column]


def _metric_names(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.metrics))


def _parts(name: str) -> list[str]:
    """`train.batch_size` as two lines; `best_epoch`, which has no dot, as two as well."""
    parts = name.split(".")
    return parts if len(parts) > 1 else name.split("_")


def _text(value: Any) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, default=str))


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else _text(value)
