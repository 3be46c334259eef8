"""Tables of how items that training never saw are ranked: new_items.csv, and their rows.

new_items.csv     a row a table's row, protocol and metric: mean and standard deviation over seeds

A seed draws the items that are held out as well as the training, so the mean is over both.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from result_collecting import finished_runs, merge, read_lines
from result_markdown import NOT_RUN, markdown, mean_of_seeds
from result_tables import Table

from sasrec.base.errors import UserError
from sasrec.comparing.runs.results import find_results
from sasrec.ranking.cold import AMONG, SHOWN

FILE = "metrics/test_details.json"
KEYS = ["table", "row", "among", "metric"]
COLUMNS = {
    "HR@10 among the new": ("among_cold", "HR@10"),
    "NDCG@10 among the new": ("among_cold", "NDCG@10"),
    "HR@10 among all": ("among_all", "HR@10"),
}
UNTRAINED = ("popularity", "chance")  # the same in every row: measured beside the model


def collect_new_items(tables: dict[str, Table], folder: Path) -> None:
    """Bring new_items.csv up to date with the rows of which all seeds are here."""
    lines: list[dict[str, Any]] = []
    for table in tables.values():
        for row in table.settings:
            side = finished_runs(table, row)
            if side:
                measured = [_read(run.name) for run in side.runs]
                lines += _summarise(table.name, row, measured)
    merge(folder / "new_items.csv", lines, KEYS)


def _read(name: str) -> dict[str, Any]:
    details = json.loads(find_results(name).read(FILE) or b"{}")
    if "cold" not in details:
        raise UserError(f"{name}: {FILE} says nothing of new items")
    return details["cold"]


def _summarise(table: str, row: str, measured: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Lines of `row` by the model of each run, and of what needs none."""
    sources = {row: "model", **{name: name for name in UNTRAINED}}
    for (name, source), among, metric in product(sources.items(), AMONG, SHOWN):
        values = np.array([of_run[among][source][metric]["mean"] for of_run in measured])
        yield {
            **dict(zip(KEYS, (table, name, among, metric), strict=True)),
            "runs": len(values),
            "mean": round(values.mean(), 6),
            "sd": round(values.std(ddof=1), 6) if len(values) > 1 else None,
        }


def read_new_items(folder: Path) -> pd.DataFrame:
    return read_lines(folder / "new_items.csv", [*KEYS, "runs", "mean", "sd"])


def table_of_new_items(table: Table, lines: pd.DataFrame) -> str:
    """The rows of `table`, then what needs no training."""
    lines = lines[lines["table"] == table.name].set_index(KEYS[1:])
    known = set(lines.index.get_level_values("row"))
    names = {row: f"`{row}`" for row in table.settings}
    names |= {row: f"*{row}*" for row in UNTRAINED if row in known}
    rows = [["row", *COLUMNS]]
    for row, shown in names.items():
        cells = [mean_of_seeds(lines.loc[(row, *key)]) if row in known else NOT_RUN
                 for key in COLUMNS.values()]  # fmt: skip
        rows.append([shown, *cells])
    return markdown(rows)
