"""What needs no training, in the tables of docs/results.md: baselines.csv and its rows.

baselines.csv     a row a dataset, baseline and metric: the mean over users

`evaluate` ranks the test targets by each baseline on the candidates that the model has, and writes
metrics/baselines.json. It depends on the data and their split alone, so any run tells it.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from result_collecting import merge, read_lines
from result_markdown import NOT_RUN, markdown
from result_tables import METRICS, Table, protocol_of

from sasrec.base.errors import UserError
from sasrec.comparing.runs.results import find_results
from sasrec.ranking.baselines.tables import BASELINES

FILE = "metrics/baselines.json"
KEYS = ["dataset", "baseline", "protocol", "metric"]
# Its name, HR@10 and NDCG@10 (sampled) in the paper's table III; from memory, to be checked.
PAPER = {
    ("ml-1m", "popularity"): ("PopRec", 0.4329, 0.2377),
    ("ml-1m", "markov"): ("FMC", 0.6986, 0.4676),
}


def shared_data(tables: dict[str, Table]) -> dict[str, str]:
    """For each table, the first table's dataset whose data and split are the same."""
    first: dict[str, str] = {}
    return {
        name: first.setdefault(_data(table.settings[table.baseline]), table.dataset)
        for name, table in tables.items()
    }


def _data(settings: dict[str, Any]) -> str:
    own = {key: value for key, value in settings.items() if key.startswith(("data.", "split."))}
    return json.dumps(own, sort_keys=True)


def collect_baselines(tables: dict[str, Table], finished: Collection[str], folder: Path) -> None:
    """Bring baselines.csv up to date, for each dataset by the first finished run that has them.

    Args:
        finished: names of experiments that are here.
    """
    lines: list[dict[str, Any]] = []
    datasets = shared_data(tables)
    for dataset in dict.fromkeys(datasets.values()):
        names = (
            experiment.name
            for name, table in tables.items()
            if datasets[name] == dataset
            for experiment in table.experiments()
            if experiment.name in finished
        )
        found = next(filter(None, map(_read, names)), {})
        lines += [
            {"dataset": dataset, "baseline": baseline, "protocol": protocol, "metric": metric}
            | {"mean": metrics[protocol][metric]}
            for baseline, metrics in found.items()
            for protocol, metric in METRICS
        ]
    merge(folder / "baselines.csv", lines, KEYS)


def _read(name: str) -> dict[str, dict[str, dict[str, float]]]:
    """Metrics by baseline and protocol, `sampled` or `full`; empty if the run has none."""
    content = find_results(name).read(FILE)
    if content is None:  # a run from before there were baselines
        return {}
    try:
        return {
            baseline: {protocol_of(name): metrics for name, metrics in protocols.items()}
            for baseline, protocols in json.loads(content).items()
        }
    except (ValueError, AttributeError):
        raise UserError(f"{name}: {FILE} is not as evaluate writes it") from None


def read_baselines(folder: Path) -> pd.DataFrame:
    return read_lines(folder / "baselines.csv", [*KEYS, "mean"])


def rows_of(lines: pd.DataFrame, dataset: str) -> dict[str, list[str]]:
    """The cells of METRICS by the name of each baseline that was measured on `dataset`."""
    means = lines[lines["dataset"] == dataset].set_index(KEYS[1:])["mean"]
    known = set(means.index.get_level_values("baseline"))
    return {
        name: [f"{means[(name, *key)]:.4f}" for key in METRICS]
        for name in BASELINES
        if name in known
    }


def tables_of_baselines(lines: pd.DataFrame, datasets: Mapping[str, str]) -> str:
    """A table for each dataset, beside the paper's numbers where it has any.

    Args:
        datasets: the `data.name` of each.
    """
    return "\n".join(
        f"{_heading(*names)}:\n\n{_table(lines, names[0])}" for names in datasets.items()
    )


def _heading(dataset: str, data_name: str) -> str:
    return f"`{dataset}`" if dataset == data_name else f"`{dataset}` (`data.name: {data_name}`)"


def _table(lines: pd.DataFrame, dataset: str) -> str:
    head = ["baseline", *(f"{metric} {protocol}" for protocol, metric in METRICS)]
    in_paper = any((dataset, name) in PAPER for name in BASELINES)
    if in_paper:
        head += ["paper's HR@10", "paper's NDCG@10"]
    rows, measured = [head], rows_of(lines, dataset)
    for name in BASELINES:
        cells = measured.get(name, [NOT_RUN] * len(METRICS))
        if in_paper:
            cells = cells + _paper(dataset, name)
        rows.append([f"*{name}*", *cells])
    return markdown(rows)


def _paper(dataset: str, name: str) -> list[str]:
    if (dataset, name) not in PAPER:
        return ["", ""]
    label, hits, gain = PAPER[dataset, name]
    return [f"{hits:.4f} ({label})", f"{gain:.4f}"]
