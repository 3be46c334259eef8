"""Fill the tables of docs/results.md from the CSV files beside it.

A table stands between `<!-- NAME -->` and `<!-- end -->`; the text around is written by hand.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
from result_tables import METRICS, Table

from sasrec.base.errors import UserError
from sasrec.base.files import new_file


def fill_page(tables: dict[str, Table], page: Path, folder: Path) -> None:
    """Replace every table in `page` by what the CSV files in `folder` hold now.

    Raises:
        UserError: a table has no place in the page.
    """
    text = page.read_text(encoding="utf-8")
    runs, rows, differences = (
        pd.read_csv(folder / f"{name}.csv") for name in ("runs", "rows", "differences")
    )
    for name, table in tables.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise UserError(f"{page}: no place <!-- {name} --> for the table")
        parts = [
            _results(table, runs, rows[rows["table"] == name]),
            _differences(table, differences[differences["table"] == name]),
            _commands(table),
        ]
        content = "\n".join(part for part in parts if part)
        text = pattern.sub(lambda match, content=content: match[1] + content + match[2], text)
    with new_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _results(table: Table, runs: pd.DataFrame, rows: pd.DataFrame) -> str:
    head = ["row", *(f"{metric} {protocol}" for protocol, metric in METRICS)]
    head += ["best epoch", "epochs", "s an epoch"]
    if table.paper:
        head.insert(1, "paper's NDCG@10")
    lines = [head, ["---"] * len(head)]
    for row in table.settings:
        found = rows[rows["row"] == row].set_index(["protocol", "metric"])
        cells = [_mean(found.loc[key]) if len(found) else "not run yet" for key in METRICS]
        if table.paper:
            cells.insert(0, f"{table.paper[row]:.4f}")
        names = [experiment.name for experiment in table.experiments(row)]
        own = runs[runs["experiment"].isin(names)]
        for column, digits in (("best_epoch", 0), ("epochs", 0), ("seconds_per_epoch", 1)):
            cells.append(", ".join(f"{value:.{digits}f}" for value in own[column].dropna()))
        lines.append([f"`{row}`", *cells])
    return _markdown(lines)


def _mean(line: pd.Series) -> str:
    spread = "" if pd.isna(line["sd"]) else f" ± {line['sd']:.4f}"
    return f"{line['mean']:.4f}{spread} ({line['low']:.3f} to {line['high']:.3f})"


def _differences(table: Table, differences: pd.DataFrame) -> str:
    if not len(differences):
        return ""
    head = [f"minus `{table.baseline}`", *(f"{metric} {protocol}" for protocol, metric in METRICS)]
    lines = [head, ["---"] * len(head)]
    for row in table.settings:
        found = differences[differences["row"] == row].set_index(["protocol", "metric"])
        if len(found):
            lines.append([f"`{row}`", *(_difference(found.loc[key]) for key in METRICS)])
    return _markdown(lines)


def _difference(line: pd.Series) -> str:
    text = f"{line['difference']:+.4f} ({line['low']:+.4f} to {line['high']:+.4f})"
    return f"**{text}**" if line["shown"] else text


def _commands(table: Table) -> str:
    """What runs each row, all its seeds."""
    lines = []
    for row, settings in table.settings.items():
        seeds = ",".join(map(str, table.seeds[row]))
        words = ["dvc", "exp", "run", "--queue"]
        for key, value in _changes(settings, seeds).items():
            words += ["-S", f"{key}={value}"]
        lines.append(shlex.join(words))
    return "\n".join(["```bash", *lines, "```", ""])


def _changes(settings: dict[str, Any], seeds: str) -> dict[str, Any]:
    return {**settings, "train.seed": seeds}


def _markdown(lines: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
