"""Fill the tables of docs/results.md from the CSV files beside it.

A table stands between `<!-- NAME -->` and `<!-- end -->`, and where their seconds come from between
`<!-- costs -->` and `<!-- end -->`; the text around is written by hand.
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd
from result_tables import METRICS, Table, override

from sasrec.base.errors import UserError
from sasrec.base.files import new_file


def fill_page(tables: dict[str, Table], page: Path, folder: Path) -> None:
    """Replace every table in `page` by what the CSV files in `folder` hold now.

    Raises:
        UserError: a table, or the place of its seconds, is not in the page.
    """
    text = page.read_text(encoding="utf-8")
    runs, rows, differences = (
        pd.read_csv(folder / f"{name}.csv") for name in ("runs", "rows", "differences")
    )
    costs = _read_costs(folder / "costs.csv")
    contents = {"costs": _origin(costs)}
    for name, table in tables.items():
        parts = [
            _results(table, runs, rows[rows["table"] == name], costs),
            _differences(table, differences[differences["table"] == name]),
            _commands(table),
        ]
        contents[name] = "\n".join(part for part in parts if part)
    for name, content in contents.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise UserError(f"{page}: no place <!-- {name} -->")
        text = pattern.sub(lambda match, content=content: match[1] + content + match[2], text)
    with new_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _read_costs(path: Path) -> pd.DataFrame:
    """What benchmarks/costs.py wrote; without rows where it has not run."""
    if not path.exists():
        return pd.DataFrame(columns=["dataset", "row", "seconds_per_epoch", "threads", "machine"])
    return pd.read_csv(path)


def _origin(costs: pd.DataFrame) -> str:
    """The sentence on where the seconds of the tables come from."""
    if costs.empty:
        return ""
    lines = costs[["machine", "threads"]].drop_duplicates().itertuples(index=False)
    machines = "; ".join(
        f"{machine}, {threads} thread{'s' if threads > 1 else ''}" for machine, threads in lines
    )
    return (
        "Seconds an epoch are of training alone, without validation, the rows in turns on a "
        f"machine that did nothing else ({machines}), by `python benchmarks/costs.py`: "
        "[costs.csv](results/costs.csv). Minutes to the best epoch are these seconds times the "
        "mean of the seeds' best epochs.\n"
    )


def _results(table: Table, runs: pd.DataFrame, rows: pd.DataFrame, costs: pd.DataFrame) -> str:
    seconds = costs[costs["dataset"] == table.dataset].set_index("row")["seconds_per_epoch"]
    timed = not seconds.index.intersection(list(table.settings)).empty
    head = ["row", *(f"{metric} {protocol}" for protocol, metric in METRICS)]
    head += ["best epoch", "epochs"]
    if timed:
        head += ["s an epoch", "min to the best epoch"]
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
        cells += [_numbers(own[column]) for column in ("best_epoch", "epochs")]
        if timed:
            cells += _cost(seconds.get(row), own["best_epoch"])
        lines.append([f"`{row}`", *cells])
    return _markdown(lines)


def _numbers(values: pd.Series) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _cost(seconds: float | None, best_epochs: pd.Series) -> list[str]:
    """Seconds an epoch, and minutes to the best epoch, as far as they are known."""
    if seconds is None:
        return ["", ""]
    if best_epochs.empty:
        return [f"{seconds:.2f}", ""]
    return [f"{seconds:.2f}", f"{best_epochs.mean() * seconds / 60:.1f}"]


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
            words += ["-S", override(key, value)]
        lines.append(shlex.join(words))
    return "\n".join(["```bash", *lines, "```", ""])


def _changes(settings: dict[str, Any], seeds: str) -> dict[str, Any]:
    return {**settings, "train.seed": seeds}


def _markdown(lines: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
