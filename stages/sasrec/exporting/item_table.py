"""items.csv of an export: what the columns of the scores stand for."""

import csv
from pathlib import Path

from sasrec.base.files import new_file
from sasrec.recommending.names import ItemNames

COLUMNS = ("number", "item", "title")


def write_items(path: Path, names: ItemNames) -> None:
    """Write CSV: each item's number in the graph, raw id, and title if titles are known."""
    columns = COLUMNS if names.have_titles else COLUMNS[:2]
    with new_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        for number in range(1, len(names.raw_ids)):
            row = (number, names.raw_ids[number], names.titles[number])
            writer.writerow(row[: len(columns)])
