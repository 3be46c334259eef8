"""One reader for each format of the registry: from data/raw/ to interactions and details."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Details
from sasrec.preparing.details import read_details, read_films, read_mapped_films
from sasrec.preparing.ids import ids
from sasrec.preparing.interactions import Interactions, row_numbers
from sasrec.preparing.item_file import read_item_file
from sasrec.preparing.local import Reading, checks_of, named, read_any
from sasrec.preparing.parquet_tables import read_parquet
from sasrec.preparing.source import Meaning, Source, from_table, keys_of, local_path, only_file
from sasrec.preparing.tables import Table
from sasrec.preparing.text_tables import TextFormat, read_text
from sasrec.sources.collecting import INTERACTIONS, ITEMS
from sasrec.sources.datasets import FILMS, MAPPING
from sasrec.sources.local_params import Columns
from sasrec.sources.params import DataParams

RECBOLE = TextFormat("\t")
SASREC = TextFormat(" ", names=("user", "item"))
SYNTHETIC = Columns(user="user", item="item", timestamp="timestamp", rating=None, order=None)


def parse(form: str, raw: Path, local: DataParams, label: str) -> Source:
    """Read the files of one format in `raw`.

    Args:
        local: how to read the user's own file; no other format needs it.
        label: that file's name in messages.

    Raises:
        UserError: a file is missing or malformed; the message names the file and the line.
    """
    try:
        return read_local(raw, local, label) if form == "local" else READERS[form](raw)
    except FileNotFoundError as error:
        raise UserError(f"a file of {raw} is missing, run download.py again: {error}") from None


def read_recbole(raw: Path) -> Source:
    """ml-100k as RecBole ships it: tab-separated, each name followed by its type."""
    path = raw / "ml-100k.inter"
    names = Columns(
        user="user_id:token", item="item_id:token", timestamp="timestamp:float",
        rating="rating:float", order=None,
    )  # fmt: skip
    table = read_text(path, keys_of(names), RECBOLE, str(path))
    users = read_details(
        raw / "ml-100k.user",
        RECBOLE,
        "user_id:token",
        {"age": "age:token", "gender": "gender:token", "occupation": "occupation:token"},
    )
    items = read_details(
        raw / "ml-100k.item",
        RECBOLE,
        "item_id:token",
        {
            "title": "movie_title:token_seq",
            "year": "release_year:token",
            "genres": "class:token_seq",
        },
    )
    genres = {key: (*row[:2], row[2].replace(" ", "|")) for key, row in items.rows.items()}
    return from_table(table, names, Meaning(), users, Details(items.columns, genres))


def read_movielens(raw: Path) -> Source:
    """ml-1m as GroupLens publishes it: `::` between fields, no header, titles in Latin-1.

    Age and occupation keep the source's codes (an age is the lowest of its band).
    """
    path = raw / "ratings.dat"
    names = Columns(user="user", item="item", timestamp="timestamp", rating="rating", order=None)
    form = TextFormat("::", names=("user", "item", "rating", "timestamp"))
    table = read_text(path, keys_of(names), form, str(path))
    form = TextFormat("::", names=("user", "gender", "age", "occupation", "zip"))
    same = {name: name for name in ("age", "gender", "occupation")}
    users = read_details(raw / "users.dat", form, "user", same)
    return from_table(table, names, Meaning(), users, read_films(raw / FILMS))


def read_sasrec(raw: Path) -> Source:
    """The authors' `user item` lines: grouped by user, in time order, ids contiguous from 1.

    The ids are taken as they are. Where the mapping to films lies beside the file, what is known
    of these is known of its items.
    """
    path = only_file(raw, "*.txt", but=MAPPING)
    table = read_text(path, ["user", "item"], SASREC, str(path))
    user, item = _whole_numbers(table, "user"), _whole_numbers(table, "item")
    step = np.diff(user, prepend=0)
    jump = (step < 0) | (step > 1)
    jump[0] = user[0] != 1
    if jump.any():
        row = int(np.argmax(jump))
        table.fail(row, f"user {user[row]} is out of order: users come grouped, from 1 on")
    num_items = int(item.max())
    if num_items > len(item) or not np.bincount(item, minlength=1)[1:].all():
        raise UserError(f"{path}: some item from 1 to {num_items} never occurs, expected each")
    interactions = Interactions(
        user=user - np.int32(1),
        item=item - np.int32(1),
        timestamp=row_numbers(len(user)),
        rating=None,
        time_unit=None,
        order=None,
        user_ids=[str(number) for number in range(1, int(user[-1]) + 1)],
        item_ids=[str(number) for number in range(1, num_items + 1)],
    )
    items = Details()
    if (raw / MAPPING).exists():
        items = read_mapped_films(raw / FILMS, raw / MAPPING, interactions.item_ids)
    return Source(interactions, Details(), items)


def read_synthetic(raw: Path) -> Source:
    """What the stage download generated."""
    path = raw / "interactions.parquet"
    return from_table(read_parquet(path, keys_of(SYNTHETIC), str(path)), SYNTHETIC, Meaning())


def read_local(raw: Path, params: DataParams, label: str) -> Source:
    """The user's own file or folder, and what the item file tells."""
    columns = named(params.columns)
    checks = checks_of(columns, params.time_unit, params.time_format)
    time = None if columns.timestamp is None else str(columns.timestamp)
    reading = Reading(label, params.columns.given, params, checks, time)
    path = local_path(raw, INTERACTIONS)
    if path is None:
        raise UserError(f"{raw} holds no {INTERACTIONS}.*: run download.py")
    meaning = Meaning(
        params.time_unit,
        params.time_format,
        drop_missing_ids=params.missing_id == "drop",
        drop_missing_times=params.missing_time == "drop",
    )
    # The table has no name here, so that its columns can go as they are read.
    source = from_table(read_any(path, reading), columns, meaning)
    pa.default_memory_pool().release_unused()  # else Arrow keeps what the table took
    path = local_path(raw, ITEMS)
    if path is None:
        return source
    found = read_item_file(path, params.items, source.interactions.item_ids)
    notices = source.notices + found.notices
    return replace(source, items=found.details, notices=notices)


READERS: Mapping[str, Callable[[Path], Source]] = {
    "recbole": read_recbole,
    "movielens": read_movielens,
    "sasrec": read_sasrec,
    "synthetic": read_synthetic,
}


def _whole_numbers(table: Table, name: str) -> np.ndarray:
    """A column of whole numbers from 1 as int32."""
    found = ids(table, name)
    codes, labels = found.codes, found.labels
    wrong = [code for code, label in enumerate(labels) if not re.fullmatch(r"[1-9]\d{0,8}", label)]
    if wrong:
        row = int(np.argmax(codes == wrong[0]))
        table.fail(row, f"{name!r} is {labels[wrong[0]]!r}, expected a whole number from 1")
    return np.array(labels, dtype=object).astype(np.int32)[codes]
