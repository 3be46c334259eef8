"""Fill the tables of docs/results.md from the CSV files beside it.

A table stands between `<!-- NAME -->` and `<!-- end -->`; so do, as `costs`, where the seconds come
from, and as `baselines` what needs no training. The text around is written by hand.
"""

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from result_baselines import read_baselines, rows_of, shared_data, tables_of_baselines
from result_collecting import read_lines
from result_markdown import NOT_RUN, commands, markdown, mean_of_seeds
from result_new_items import read_new_items, table_of_new_items
from result_tables import METRICS, Table, of_kind

from sasrec.base.errors import UserError
from sasrec.base.files import new_file


class Found(NamedTuple):
    """What the CSV files hold: see the modules that write them."""

    runs: pd.DataFrame
    rows: pd.DataFrame
    differences: pd.DataFrame
    costs: pd.DataFrame
    baselines: pd.DataFrame
    new_items: pd.DataFrame


def read_found(folder: Path) -> Found:
    results = (pd.read_csv(folder / f"{name}.csv") for name in ("runs", "rows", "differences"))
    cost_columns = ["dataset", "row", "seconds_per_epoch", "threads", "machine"]
    costs = read_lines(folder / "costs.csv", cost_columns)
    return Found(*results, costs, read_baselines(folder), read_new_items(folder))


def fill_page(tables: dict[str, Table], page: Path, folder: Path) -> None:
    """Replace every table in `page` by what the CSV files in `folder` hold now.

    Raises:
        UserError: the page has no place for one of them.
    """
    text = page.read_text(encoding="utf-8")
    for name, content in contents_of(tables, read_found(folder)).items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not pattern.search(text):
            raise UserError(f"{page}: no place <!-- {name} -->")
        text = pattern.sub(lambda match, content=content: match[1] + content + match[2], text)
    with new_file(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def contents_of(tables: dict[str, Table], found: Found) -> dict[str, str]:
    """What stands in each place of the page, by its name."""
    ranking = of_kind(tables, "ranking")
    datasets = shared_data(ranking)
    contents = {
        "costs": _origin(found.costs),
        "baselines": tables_of_baselines(
            found.baselines, {datasets[name]: table.data_name for name, table in ranking.items()}
        ),
    }
    for name, table in ranking.items():
        baselines = rows_of(found.baselines, datasets[name])
        parts = [_results(table, found, baselines), _differences(table, found.differences)]
        contents[name] = "\n".join([*filter(None, parts), commands(table)])
    for name, table in of_kind(tables, "new_items").items():
        contents[name] = f"{table_of_new_items(table, found.new_items)}\n{commands(table)}"
    return contents


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


def _results(table: Table, found: Found, baselines: dict[str, list[str]]) -> str:
    """The rows of `table`, then those of what needs no training."""
    costs, rows = found.costs, found.rows[found.rows["table"] == table.name]
    seconds = costs[costs["dataset"] == table.dataset].set_index("row")["seconds_per_epoch"]
    timed = not seconds.index.intersection(list(table.settings)).empty
    head = ["row", *(f"{metric} {protocol}" for protocol, metric in METRICS)]
    head += ["best epoch", "epochs"]
    if timed:
        head += ["s an epoch", "min to the best epoch"]
    if table.paper:
        head.insert(1, "paper's NDCG@10")
    lines = [head]
    for row in table.settings:
        own = rows[rows["row"] == row].set_index(["protocol", "metric"])
        cells = [_mean(own.loc[key]) if len(own) else NOT_RUN for key in METRICS]
        if table.paper:
            cells.insert(0, f"{table.paper[row]:.4f}")
        names = [experiment.name for experiment in table.experiments(row)]
        runs = found.runs[found.runs["experiment"].isin(names)]
        cells += [_numbers(runs[column]) for column in ("best_epoch", "epochs")]
        if timed:
            cells += _cost(seconds.get(row), runs["best_epoch"])
        lines.append([f"`{row}`", *cells])
    for name, cells in baselines.items():
        before = [f"*{name}*", *([""] if table.paper else []), *cells]
        lines.append([*before, *[""] * (len(head) - len(before))])
    return markdown(lines)


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
    return f"{mean_of_seeds(line)} ({line['low']:.3f} to {line['high']:.3f})"


def _differences(table: Table, differences: pd.DataFrame) -> str:
    differences = differences[differences["table"] == table.name]
    if not len(differences):
        return ""
    head = [f"minus `{table.baseline}`", *(f"{metric} {protocol}" for protocol, metric in METRICS)]
    lines = [head]
    for row in table.settings:
        found = differences[differences["row"] == row].set_index(["protocol", "metric"])
        if len(found):
            lines.append([f"`{row}`", *(_difference(found.loc[key]) for key in METRICS)])
    return markdown(lines)


def _difference(line: pd.Series) -> str:
    text = f"{line['difference']:+.4f} ({line['low']:+.4f} to {line['high']:+.4f})"
    return f"**{text}**" if line["shown"] else text
