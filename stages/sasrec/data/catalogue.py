"""users.csv and items.csv: the ids, the source's ids, and what the source knows of each."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sasrec.base.files import new_file


@dataclass(frozen=True)
class Details:
    """What a source knows of its users or items.

    Attributes:
        columns: the names of the details, such as title, year, genres.
        rows: the details of each raw id; an id that is absent has empty ones.
    """

    columns: tuple[str, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def write_catalogue(path: Path, raw_ids: Sequence[str], details: Details) -> None:
    """Write CSV `id,raw_id,…`: the k-th raw id, counted from 1, has the id k."""
    unknown = ("",) * len(details.columns)
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", "raw_id", *details.columns])
        for number, raw_id in enumerate(raw_ids, start=1):
            writer.writerow([number, raw_id, *details.rows.get(raw_id, unknown)])
