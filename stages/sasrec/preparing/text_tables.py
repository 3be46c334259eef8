"""Delimited text as Arrow columns: checked by bytes, parsed at once, explained by lines.

Reading is vectorised; only when it fails is the text walked through to find the line.
"""

import csv
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from sasrec.preparing.row_shape import RowShape
from sasrec.preparing.tables import Table, check_names, check_rows
from sasrec.preparing.text_rows import TextFormat, TextRows
from sasrec.preparing.text_scan import TextScan


def read_text(
    path: Path,
    names: list[str],
    form: TextFormat,
    label: str,
    checks: Mapping[str, Callable[[str], bool]] | None = None,
    time: str | None = None,
) -> Table:
    """Read the columns `names` of a delimited text file as strings.

    Rows that repeat the header are left out and counted. `checks` (whether a text may be a value
    of a column) and `time` (the column of times) help to find rows that a stray quote swallows.

    Raises:
        UserError: the file is empty, has another encoding, lacks a column, a line has the
            wrong number of fields, or quotes are not as they should be.
    """
    csv.field_size_limit(sys.maxsize)  # Arrow has no limit
    rows = TextRows(path, form, label)
    header = rows.header()
    check_names(names, header, label)
    shape = RowShape(
        delimiter=form.separator,
        width=len(header),
        checks={header.index(name): check for name, check in (checks or {}).items()},
        timed=time is not None,
    )
    scan = TextScan(label, ord(form.separator), form.quoted, shape)
    with rows.open() as stream:
        scan.run(stream)
    columns = _parse(rows, header, names, scan)
    assert scan.rows == columns.num_rows + (form.names is None), "a row was lost or made up"
    return check_rows(_without_headers(rows, columns, names))


def _parse(rows: TextRows, header: list[str], names: list[str], scan: TextScan) -> pa.Table:
    form = rows.form
    parse = pacsv.ParseOptions(
        delimiter=form.separator,
        quote_char='"' if scan.has_quotes else False,
        newlines_in_values=scan.has_long_fields,
    )
    read = pacsv.ReadOptions(
        column_names=form.names, encoding=form.encoding, block_size=scan.longest_block
    )
    convert = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()), include_columns=names
    )
    try:
        with rows.open() as stream:
            return pacsv.read_csv(stream, read, parse, convert)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        rows.explain(header, names, error)


def _without_headers(rows: TextRows, columns: pa.Table, names: list[str]) -> Table:
    """Leave out rows that repeat the header in all these columns."""
    repeated = np.flatnonzero(pc.equal(columns[names[0]], names[0]).to_numpy())
    for name in names[1:]:
        same = pc.equal(columns[name].take(repeated), name).to_numpy()
        repeated = repeated[same]
    if rows.form.names is not None or len(repeated) == 0:
        return Table(columns, rows.label, lambda row: f"line {rows.line(row)}")
    keep = np.ones(columns.num_rows, dtype=bool)
    keep[repeated] = False
    kept = np.flatnonzero(keep)
    return Table(
        columns.filter(pa.array(keep)),
        rows.label,
        lambda row: f"line {rows.line(int(kept[row]))}",
        repeated_headers=len(repeated),
    )
