"""Parquet columns with objects and lists in them: a field by its path, a row for each entry.

`user.id` is a field of an object. Of a column that holds lists each entry becomes a row, and what
stands beside them once is repeated; `events.aid` is a field of the objects in the lists `events`.
An empty list gives no row, and counts nowhere; a null in place of a list is one missing value.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.base.errors import UserError


def top_of(name: str, found: Sequence[str]) -> str:
    """The column that `name` is, or begins its path with."""
    return name if name in found else name.partition(".")[0]


def is_list(kind: pa.DataType) -> bool:
    """Whether values are lists."""
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def flat(
    columns: pa.Table, names: Sequence[str], label: str, joined: str | None = None
) -> tuple[pa.Table, np.ndarray | None]:
    """One column of plain values for each name; lists are joined by `joined`, if there is one.

    Returns them, and for each row the one of `columns` that it comes from; None if it is itself.

    Raises:
        UserError: lists of different lengths stand in one row, or a value is no plain one.
    """
    found: dict[str, pa.ChunkedArray] = {}
    spread: dict[str, np.ndarray] = {}
    for name in names:
        top = top_of(name, columns.column_names)
        path = name[len(top) + 1 :].split(".") if name != top else []
        found[name], parents = _walk(columns[top], path, name, label)
        if parents is not None and joined is not None:
            found[name] = _joined_by_row(found[name], parents, columns.num_rows, joined)
        elif parents is not None:
            spread[name] = parents
    if not spread:
        return pa.table(found), None
    first, parents = next(iter(spread.items()))
    for name, other in spread.items():
        if not np.array_equal(parents, other):
            raise UserError(
                f"{label}: the lists of {first!r} and {name!r} differ in length, expected as many "
                "entries in each"
            )
    rows = pa.array(parents)
    return pa.table({n: c if n in spread else c.take(rows) for n, c in found.items()}), parents


def _joined_by_row(
    entries: pa.ChunkedArray, parents: np.ndarray, num_rows: int, joined: str
) -> pa.ChunkedArray:
    """The entries of each of the `num_rows` rows as one text; what is missing is left out."""
    texts: list[list[str]] = [[] for _ in range(num_rows)]
    for entry, row in zip(entries.to_pylist(), parents.tolist(), strict=True):
        if entry is not None:
            texts[row].append(str(entry))
    return pa.chunked_array([pa.array(map(joined.join, texts), pa.string())])


def _with_null_entries(lists: pa.Array) -> pa.Array:
    """The same lists, with a list of one null for each null."""
    if lists.null_count == 0:
        return lists
    if pa.types.is_fixed_size_list(lists.type):
        lists = lists.cast(pa.list_(lists.type.value_type))
    return pc.coalesce(lists, pa.scalar([None], lists.type))


def _walk(
    column: pa.ChunkedArray, path: list[str], name: str, label: str
) -> tuple[pa.ChunkedArray, np.ndarray | None]:
    """The values at the end of a path, and the rows that they come from if lists lie on it."""
    if not pa.types.is_nested(column.type):
        return column, None
    column.validate(full=True)  # damaged offsets would lead out of memory that is ours
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks)
    parents = None
    while is_list(values.type) or pa.types.is_struct(values.type):
        if is_list(values.type):
            if parents is not None:
                raise UserError(f"{label}: the column {name!r} has lists in lists")
            values = _with_null_entries(values)
            parents = pc.list_parent_indices(values).to_numpy(zero_copy_only=False)
            values = pc.list_flatten(values)
            continue
        fields = [field.name for field in values.type]
        if not path or path[0] not in fields:
            shown = ", ".join(fields[:20])
            raise UserError(
                f"{label}: the column {name!r} is nested, with the fields {shown}: name one of "
                f"them, as {name.partition('.')[0]}.{fields[0] if fields else 'id'}"
            )
        values = pc.struct_field(values, path.pop(0))
    if pa.types.is_nested(values.type) or path:
        raise UserError(
            f"{label}: the column {name!r} is nested ({column.type}), expected plain values"
        )
    return pa.chunked_array([values]), parents
