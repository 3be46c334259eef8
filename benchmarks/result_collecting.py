"""What the experiments of a table came to, as CSV files.

runs.csv          a row a run: metrics, epochs, date, machine
rows.csv          a row a table's row and metric: mean and standard deviation over seeds, and
                  the 95% bootstrap interval of the mean over users
differences.csv   a row a table's row and metric: what it has over the baseline, paired by
                  user and seed (see stages/sasrec/comparing/runs/paired.py)
"""

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from result_tables import METRICS, PROTOCOLS, Experiment, Table, protocol_of

from sasrec.base.errors import UserError
from sasrec.base.files import write_csv
from sasrec.comparing.runs.comparison import compare_sides
from sasrec.comparing.runs.experiments import Run, Side, load_side
from sasrec.comparing.runs.results import find_results
from sasrec.ranking.metrics import metric_values

SAMPLES = 10_000


def collect(tables: dict[str, Table], folder: Path, machine: str) -> set[str]:
    """Bring the CSV files in `folder` up to date with the experiments that are here.

    Returns: the names of these experiments.
    """
    names: set[str] = set()
    for table in tables.values():
        sides = {row: side for row in table.settings if (side := finished_runs(table, row))}
        names.update(run.name for side in sides.values() for run in side.runs)
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
    return names


def finished_runs(table: Table, row: str) -> Side | None:
    """The runs of a row, if all of its seeds have run."""
    names = [experiment.name for experiment in table.experiments(row)]
    try:
        return load_side(row, ",".join(names))
    except UserError:
        return None


def _describe(run: Run, experiment: Experiment, machine: str) -> dict[str, Any]:
    results = find_results(run.name)
    test = json.loads(results.read("metrics/test.json") or b"{}")
    names = _names_of_protocols(run)
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
    lines, names = [], _names_of_protocols(side.runs[0])
    for protocol, metric in METRICS:
        values = metric_values(side.ranks(names[protocol]), (10,))[metric]  # [runs, users]
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
            "protocol": protocol_of(verdict.protocol),
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


def _names_of_protocols(run: Run) -> dict[str, str]:
    """What its files call each of PROTOCOLS."""
    return dict(zip(PROTOCOLS, run.protocols, strict=True))


def merge(path: Path, lines: list[dict[str, Any]], keys: list[str]) -> None:
    """Replace the lines of `path` with the same keys, and keep the others."""
    new = pd.DataFrame(lines)
    if path.exists():
        old = pd.read_csv(io.BytesIO(path.read_bytes()))
        new = pd.concat([old, new]).drop_duplicates(keys, keep="last") if lines else old
    if len(new):
        write_csv(path, new.sort_values(keys, ignore_index=True))


def read_lines(path: Path, columns: list[str]) -> pd.DataFrame:
    """What `path` holds; no lines of these columns where there is no such file yet."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=columns)
