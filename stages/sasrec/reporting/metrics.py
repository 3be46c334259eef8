"""Sections on how well it went: curves, and metrics beside baselines and the paper's row."""

from collections.abc import Mapping, Sequence
from typing import Any

from sasrec.comparing.flatten import flatten
from sasrec.reporting.charts import Dot, Line, draw_dots, draw_lines
from sasrec.reporting.elements import (
    EMPTY,
    Cell,
    Chart,
    Section,
    Table,
    cell,
    gather,
    with_interval,
)
from sasrec.reporting.facts import DETAILS, side_by_side
from sasrec.reporting.paper import PAPER, PROTOCOL
from sasrec.reporting.run import ReportedRun

INTERVALS, BASELINES = "metrics/intervals.json", "metrics/baselines.json"
TRAINING, VALIDATION, TRAIN = "plots/training.csv", "plots/validation.csv", "metrics/train.json"
SHOWN = ("NDCG@10", "HR@10")
OTHERS = ("cold",)  # of test_details.json, what is no protocol
PROTOCOLS = {"sampled": "sampled candidates", "full": "all items"}


def curves_section(runs: Sequence[ReportedRun]) -> Section:
    """Loss and validation metrics by epoch."""
    section = Section("Training", name="training")
    training = gather(section, runs, lambda run: run.csv_of(TRAINING, "epoch", "train_loss"))
    columns = [f"{protocol}_{metric}" for metric in SHOWN for protocol in PROTOCOLS]
    wanted = ("epoch", "valid_loss", *columns)
    validation = gather(section, runs, lambda run: run.csv_of(VALIDATION, *wanted))
    trained = gather(section, runs, lambda run: run.json_of(TRAIN))
    best = {name: content.get("best_epoch") for name, content in trained.items()}
    place = {run.name: index for index, run in enumerate(runs)}
    if not training and not validation:
        return section
    losses = [Line(table["epoch"], table["train_loss"], place[name], dashed=True)
              for name, table in training.items()]  # fmt: skip
    losses += [Line(table["epoch"], table["valid_loss"], place[name], mark=best.get(name))
               for name, table in validation.items()]  # fmt: skip
    title = "Loss a position: dotted training (with dropout), solid validation"
    svg = draw_lines(losses, "epoch", "loss", logarithmic=False)
    section.charts.append(Chart(title, svg))
    for metric in SHOWN if validation else ():
        for protocol, meaning in PROTOCOLS.items():
            lines = [
                Line(
                    table["epoch"], table[f"{protocol}_{metric}"], place[name], mark=best.get(name)
                )
                for name, table in validation.items()
            ]
            svg = draw_lines(lines, "epoch", metric, logarithmic=False)
            section.charts.append(Chart(f"Validation {metric}, {meaning}", svg))
    if trained:
        kept = {name: flatten(content) for name, content in trained.items()}
        section.tables.append(side_by_side("The epoch that was kept (dashed in the charts)", kept))
    return section


def metrics_section(runs: Sequence[ReportedRun]) -> Section:
    """Test metrics by protocol: runs with their intervals, baselines, the paper's row."""
    section = Section("Test metrics", name="metrics")
    details = gather(section, runs, lambda run: run.json_of(DETAILS))
    intervals = gather(section, runs, lambda run: run.json_of(INTERVALS))
    baselines = gather(section, runs, lambda run: run.json_of(BASELINES))
    place = {run.name: index for index, run in enumerate(runs)}
    protocols = dict.fromkeys(
        name for found in details.values() for name in found if name not in OTHERS
    )
    for protocol in protocols:
        rows = [
            (name, found[protocol], intervals.get(name, {}).get(protocol, {}), place[name])
            for name, found in details.items()
            if protocol in found
        ]
        beside = _baselines(baselines, protocol) | _paper(runs, protocol)
        rows += [(name, found, {}, None) for name, found in beside.items()]
        section.charts += [
            Chart(f"{metric}, {protocol}", draw_dots(_dots(rows, metric), metric), of_runs=False)
            for metric in SHOWN
            if all(metric in found for name, found, _, run in rows if run is not None)
        ]
        section.tables.append(_table(protocol, rows))
    cold = {name: flatten(found["cold"]) for name, found in details.items() if "cold" in found}
    if cold:
        section.tables.append(side_by_side("Items that training never saw (cold)", cold))
    if section.tables:
        section.notes.append(
            "Below a number stands its 95% interval over users. sampled_N ranks the target among "
            "N items that the user never met, full among the whole catalogue: never compare one "
            "with the other."
        )
    return section


Rows = Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any], int | None]]


def _table(protocol: str, rows: Rows) -> Table:
    """A row a run, baseline or paper; a column a metric, those of SHOWN first."""
    names = dict.fromkeys(name for _, metrics, _, _ in rows for name in metrics)
    names = sorted(names, key=lambda name: SHOWN.index(name) if name in SHOWN else len(SHOWN))
    cells = [
        [
            Cell(name),
            *(_metric(metrics.get(metric), intervals.get(metric, {})) for metric in names),
        ]
        for name, metrics, intervals, _ in rows
    ]
    return Table(f"Test metrics, {protocol}", ["", *names], cells)


def _metric(value: Any, interval: Mapping[str, Any]) -> Cell:
    if value is None:
        return EMPTY
    if isinstance(value, float):
        return with_interval(value, interval.get("low"), interval.get("high"))
    return cell(value)


def _dots(rows: Rows, metric: str) -> list[Dot]:
    return [
        Dot(name, metrics[metric], *(intervals.get(metric, {}).get(end) for end in ("low", "high")),
            run=run)
        for name, metrics, intervals, run in rows
        if metric in metrics
    ]  # fmt: skip


def _baselines(found: Mapping[str, Any], protocol: str) -> dict[str, Mapping[str, Any]]:
    """By name; those of a run that has others than the first one come after its name."""
    rows: dict[str, Mapping[str, Any]] = {}
    for run, of_run in found.items():
        for name, metrics in of_run.items():
            if protocol in metrics and rows.get(name, metrics[protocol]) == metrics[protocol]:
                rows[name] = metrics[protocol]
            elif protocol in metrics:
                rows[f"{name} ({run})"] = metrics[protocol]
    return rows


def _paper(runs: Sequence[ReportedRun], protocol: str) -> dict[str, Mapping[str, Any]]:
    """The paper's row for each dataset of the paper's among the runs."""
    datasets = dict.fromkeys(run.dataset for run in runs if run.dataset in PAPER)
    if protocol != PROTOCOL:
        return {}
    return {f"paper, {dataset}": PAPER[dataset] for dataset in datasets}
