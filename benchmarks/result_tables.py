"""Experiments by table, and their results as CSV files.

runs.csv          a row a run: metrics, epochs, date, machine
rows.csv          a row a table's row and metric: mean and standard deviation over seeds, and
                  the 95% bootstrap interval of the mean over users
differences.csv   a row a table's row and metric: what it has over the baseline, paired by
                  user and seed (see stages/sasrec/comparing/runs/paired.py)
"""

import io
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "stages"))
from sasrec.base.errors import UserError
from sasrec.base.files import write_csv
from sasrec.comparing.runs.comparison import compare_sides
from sasrec.comparing.runs.experiments import Run, Side, load_side
from sasrec.comparing.runs.results import find_results
from sasrec.ranking.metrics import metric_values

METRICS = [
    (protocol, metric) for protocol in ("sampled", "full") for metric in ("HR@10", "NDCG@10")
]
SAMPLES = 10_000


@dataclass(frozen=True)
class Experiment:
    """One training; `settings` are what `dvc exp run -S` sets."""

    name: str
    row: str
    seed: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows that belong together.

    Attributes:
        settings: of each row by name, without the seed.
        seeds: of each row by name.
        baseline: the row that the others are tested against.
        paper: the NDCG@10 that the paper has for each row, or empty.
    """

    name: str
    dataset: str
    seeds: dict[str, tuple[int, ...]]
    baseline: str
    settings: dict[str, dict[str, Any]]
    paper: dict[str, float]

    def experiments(self, row: str | None = None) -> list[Experiment]:
        """Of one row, or of all."""
        return [
            Experiment(
                f"{self.dataset}-{name}-{seed}", name, seed, {**settings, "train.seed": seed}
            )
            for name, settings in self.settings.items()
            if row in (None, name)
            for seed in self.seeds[name]
        ]


def load_tables(path: Path) -> dict[str, Table]:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    datasets, rows = content["datasets"], content["rows"]
    return {
        name: Table(
            name=name,
            dataset=table["dataset"],
            seeds={
                row: tuple(table.get("more_seeds", {}).get(row, table["seeds"]))
                for row in table["rows"]
            },
            baseline=table["baseline"],
            settings={row: datasets[table["dataset"]] | rows[row] for row in table["rows"]},
            paper=dict(zip(table["rows"], table.get("paper", ()), strict=False)),
        )
        for name, table in content["tables"].items()
    }


def named_tables(tables: dict[str, Table], names: list[str]) -> list[Table]:
    """Those of `names`.

    Raises:
        UserError: there is no name, or no such table.
    """
    if not names or set(names) - set(tables):
        raise UserError(f"name one or more of the tables {', '.join(tables)}")
    return [tables[name] for name in names]


def override(key: str, value: Any) -> str:
    """What `dvc exp run -S` takes: lists without quotes, values as YAML has them."""
    if isinstance(value, list):
        value = f"[{','.join(value)}]"
    elif isinstance(value, bool):
        value = str(value).lower()
    return f"{key}={value}"


def collect(tables: dict[str, Table], folder: Path, machine: str) -> None:
    """Bring the CSV files in `folder` up to date with the experiments that are here."""
    for table in tables.values():
        sides = {row: side for row in table.settings if (side := _finished(table, row))}
        runs = [
            _describe(run, experiment, machine)
            for row, side in sides.items()
            for run, experiment in zip(side.runs, table.experiments(row), strict=True)
        ]
        rows = [line for row, side in sides.items() for line in _summarise(table, row, side)]
        tests = [
            line
            for row, side in sides.items()
            if row != table.baseline and table.baseline in sides
            for line in _test(table, row, sides[table.baseline], side)
        ]
        merge(folder / "runs.csv", runs, ["experiment"])
        merge(folder / "rows.csv", rows, ["table", "row", "protocol", "metric"])
        merge(folder / "differences.csv", tests, ["table", "row", "protocol", "metric"])


def _finished(table: Table, row: str) -> Side | None:
    """The runs of a row, if all of its seeds have run."""
    names = [experiment.name for experiment in table.experiments(row)]
    try:
        return load_side(row, ",".join(names))
    except UserError:
        return None


def _describe(run: Run, experiment: Experiment, machine: str) -> dict[str, Any]:
    results = find_results(run.name)
    test = json.loads(results.read("metrics/test.json") or b"{}")
    names = dict(zip(("sampled", "full"), run.protocols, strict=True))
    command = ["git", "log", "-1", "--format=%cs", results.place]
    date = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "experiment": experiment.name,
        "row": experiment.row,
        "seed": experiment.seed,
        **{f"{p}_{metric}": round(test[names[p]][metric], 6) for p, metric in METRICS},
        "valid_NDCG@10": round(run.training["valid"][names["sampled"]]["NDCG@10"], 6),
        "best_epoch": run.training["best_epoch"],
        "epochs": run.training["epochs"],
        "date": date,
        "machine": machine,
    }


def _summarise(table: Table, row: str, side: Side) -> list[dict[str, Any]]:
    lines = []
    for protocol, metric in METRICS:
        values = metric_values(side.ranks(_column(side, protocol)), (10,))[metric]  # [runs, users]
        of_runs, of_users = values.mean(1), values.mean(0)
        generator = np.random.default_rng(1)
        means = [generator.choice(of_users, len(of_users)).mean() for _ in range(2000)]
        low, high = np.percentile(means, [2.5, 97.5])
        lines.append(
            {"table": table.name, "row": row, "protocol": protocol, "metric": metric}
            | {"runs": len(of_runs), "mean": round(of_runs.mean(), 6)}
            | {"sd": round(of_runs.std(ddof=1), 6) if len(of_runs) > 1 else None}
            | {"low": round(low, 6), "high": round(high, 6)}
        )
    return lines


def _test(table: Table, row: str, baseline: Side, side: Side) -> list[dict[str, Any]]:
    comparison = compare_sides(baseline, side, (10,), mrr=False, samples=SAMPLES, seed=1)
    return [
        {
            "table": table.name,
            "row": row,
            "protocol": "full" if verdict.protocol == "full" else "sampled",
            "metric": verdict.metric,
            "baseline": table.baseline,
            "difference": round(verdict.difference.difference, 6),
            "low": round(verdict.difference.low, 6),
            "high": round(verdict.difference.high, 6),
            "p": round(verdict.difference.p_value, 6),
            "p_holm": round(verdict.adjusted_p, 6),
            "shown": verdict.better is not None and verdict.difference.covers_seeds,
        }
        for verdict in comparison.verdicts
    ]


def _column(side: Side, protocol: str) -> str:
    sampled, full = side.runs[0].protocols
    return full if protocol == "full" else sampled


def merge(path: Path, lines: list[dict[str, Any]], keys: list[str]) -> None:
    """Replace the lines of `path` with the same keys, and keep the others."""
    new = pd.DataFrame(lines)
    if path.exists():
        old = pd.read_csv(io.BytesIO(path.read_bytes()))
        new = pd.concat([old, new]).drop_duplicates(keys, keep="last") if lines else old
    if len(new):
        write_csv(path, new.sort_values(keys, ignore_index=True))
