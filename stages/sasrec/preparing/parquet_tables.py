"""Parquet files as Arrow columns. A damaged file is refused in a sentence, however it fails."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sasrec.base.errors import UserError
from sasrec.preparing.nested_columns import flat, top_of
from sasrec.preparing.tables import Table, check_names, first_line

# What Arrow raises for damaged content: errors of its own, a page that cannot be unpacked
# (OSError without an errno), names that are not text, sizes and numbers out of range.
DAMAGE = (pa.ArrowException, UnicodeDecodeError, OverflowError, ValueError)


def read_parquet(path: Path, names: list[str], label: str, joined: str | None = None) -> Table:
    """Read the columns `names` of a Parquet file; see `nested_columns` for paths and lists.

    Raises:
        UserError: it is not a Parquet file, is damaged, lacks a column.
    """
    parents = None
    try:
        columns = _read(path, names, label)
        if columns.column_names != names or any(map(pa.types.is_nested, columns.schema.types)):
            columns, parents = flat(columns, names, label, joined)
    except OSError as error:
        if error.errno is not None:  # the disk, not the content
            raise
        raise _damaged(label, error) from None
    except DAMAGE as error:
        raise _damaged(label, error) from None
    place = (lambda row: row) if parents is None else (lambda row: int(parents[row]))
    table = Table(columns, label, lambda row: f"row {place(row) + 1}")
    for name in names:
        columns = columns.set_column(
            columns.schema.get_field_index(name), name, _plain(table, name, columns[name])
        )
    return Table(columns, label, table.where)


def _read(path: Path, names: list[str], label: str) -> pa.Table:
    with pq.ParquetFile(path) as file:
        known = file.schema_arrow.names
        tops = list(dict.fromkeys(top_of(name, known) for name in names))
        check_names(tops, known, label)
        columns = file.read(columns=tops)
        expected = file.metadata.num_rows
        leaves = [file.schema.column(place) for place in range(len(file.schema))]
    old = {leaf.path for leaf in leaves if leaf.physical_type == "INT96"}
    columns = _unwrapped(path, columns, [name for name in tops if name in old])
    if columns.num_rows != expected:
        raise UserError(
            f"{label} is damaged: it states {expected} rows and holds {columns.num_rows}"
        )
    return columns


def _unwrapped(path: Path, columns: pa.Table, names: list[str]) -> pa.Table:
    """Time stamps of the type INT96 (of Spark and others), read anew where ns are too small.

    Arrow reads them as ns, in which those beyond the year 2262 turn up in other years.
    """
    if not names:
        return columns
    with pq.ParquetFile(path, coerce_int96_timestamp_unit="us") as file:
        coarse = file.read(columns=names)
    for name in names:
        same = pc.equal(columns[name].cast(coarse[name].type, safe=False), coarse[name])
        if not pc.all(same).as_py():
            place = columns.schema.get_field_index(name)
            columns = columns.set_column(place, name, coarse[name])
    return columns


def _damaged(label: str, error: Exception, column: str = "") -> UserError:
    return UserError(f"{label} is not a readable Parquet file: {column}{first_line(error)}")


def _plain(table: Table, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column without dictionaries, and text of any kind as valid strings."""
    kind = column.type
    try:
        if pa.types.is_dictionary(kind):
            column.validate(full=True)
            column = column.cast(kind.value_type)
        if isinstance(column.type, pa.BaseExtensionType):  # a UUID, say
            column = pa.chunked_array([chunk.storage for chunk in column.chunks])
        if pa.types.is_fixed_size_binary(column.type):
            return _fixed_text(column)
        if _is_bytes(column.type):
            return column.cast(pa.large_binary()).cast(pa.large_string())
        column.validate(full=True)
    except DAMAGE as error:
        _refuse_bytes(table, name)
        raise _damaged(table.label, error, f"column {name!r}: ") from None
    return column


def _fixed_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values of a fixed number of bytes as text; where some are no text, all as hex digits.

    So are UUIDs stored. Zero bytes at the end only fill up.
    """
    values = [value and value.rstrip(b"\0") for value in column.to_pylist()]
    try:
        text = [value and value.decode() for value in values]
        if any(value and not value.isprintable() for value in text):
            raise UnicodeDecodeError("utf-8", b"", 0, 0, "unprintable")
    except UnicodeDecodeError:
        text = [value and value.hex() for value in column.to_pylist()]
    return pa.chunked_array([pa.array(text, pa.large_string())])


def _is_bytes(kind: pa.DataType) -> bool:
    """Whether values are strings of bytes, which may or may not be valid text."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _refuse_bytes(table: Table, name: str) -> None:
    """Name the first row that is not UTF-8, if that is what is wrong."""
    row = 0
    for chunk in table.columns[name].chunks:
        for value in _bytes(chunk):
            try:
                value.decode()
            except UnicodeDecodeError:
                table.fail(row, f"{name!r} is {value[:40]!r}, which is not UTF-8 text")
            row += 1


def _bytes(chunk: pa.Array) -> Iterator[bytes]:
    """The values of an array of text; nothing for nulls and other types."""
    if pa.types.is_dictionary(chunk.type):
        values = list(_bytes(chunk.dictionary))
        for index in chunk.indices.to_pylist():
            yield values[index] if index is not None and 0 <= index < len(values) else b""
    elif _is_bytes(chunk.type):
        for value in chunk.cast(pa.large_binary()).to_pylist():
            yield value or b""
