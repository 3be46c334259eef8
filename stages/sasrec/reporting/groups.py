"""Sections on whom it serves well: metrics by length of history, and by popularity of the target.

Shapes: E users with a target, N items.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sasrec.base.errors import UserError
from sasrec.base.files import read_npy
from sasrec.comparing.runs.rank_table import protocols, read_rank_table
from sasrec.comparing.runs.results import RANKS
from sasrec.ranking.buckets import bucket_table
from sasrec.reporting.charts import Line, draw_lines
from sasrec.reporting.elements import Cell, Chart, Section, Table, cell, gather, with_interval
from sasrec.reporting.metrics import PROTOCOLS, SHOWN
from sasrec.reporting.run import ReportedRun

BY_LENGTH, TRAIN_ITEMS = "plots/by_history_length.csv", "data/split/train/items.npy"
# Ends in powers of ten, so that runs of other datasets share ranges.
EDGES = (0, *(step * 10**power for power in range(7) for step in (1, 2, 5)))
SAMPLES, SEED = 1000, 1
SMALL = "Ranges of fewer than 30 users are merged with their neighbours"


def length_section(runs: Sequence[ReportedRun]) -> Section:
    """plots/by_history_length.csv of each run."""
    section = Section("By length of history", name="by-length")
    wanted = ("range", "users", "history_length", *_columns())
    found = gather(section, runs, lambda run: run.csv_of(BY_LENGTH, *wanted))
    _show(section, runs, found, "history_length", "mean interactions in the history")
    return section


def popularity_section(runs: Sequence[ReportedRun]) -> Section:
    """Ranks by how often the target occurs in training."""
    section = Section("By popularity of the target", name="by-popularity")
    found = gather(section, runs, _by_popularity)
    _show(section, runs, found, "popularity", "mean occurrences of the target in training")
    return section


def _columns() -> list[str]:
    return [f"{protocol}_{metric}" for protocol in PROTOCOLS for metric in SHOWN]


def _show(
    section: Section,
    runs: Sequence[ReportedRun],
    found: Mapping[str, pd.DataFrame],
    x: str,
    x_label: str,
) -> None:
    """A chart a protocol, and everything as a table."""
    if not found:
        return
    section.notes.append(f"{SMALL}; with 95% intervals over users.")
    older = [name for name, table in found.items() if f"{_columns()[0]}_low" not in table]
    if older:
        section.notes.append(
            f"{', '.join(older)}: as older code left it, neither merged nor with intervals; "
            "`dvc repro evaluate` makes both."
        )
    place = {run.name: index for index, run in enumerate(runs)}
    for protocol, meaning in PROTOCOLS.items():
        column = f"{protocol}_NDCG@10"
        ends = [f"{column}_{end}" for end in ("low", "high")]
        lines = [
            Line(table[x], table[column], place[name], *(table.get(end) for end in ends))
            for name, table in found.items()
        ]
        svg = draw_lines(lines, x_label, "NDCG@10", logarithmic=True)
        section.charts.append(Chart(f"NDCG@10, {meaning}", svg))
    several = len(runs) > 1
    head = ["range", *(["run"] if several else []), "users", *_columns(), x.replace("_", " ")]
    rows = [
        [_range(row["range"]), *([Cell(name)] if several else []), *_numbers(row, x)]
        for name, table in found.items()
        for row in table.to_dict("records")
    ]
    rows.sort(key=lambda row: row[0].value)
    section.tables.append(Table(section.title, head, rows))


def _range(label: str | int) -> Cell:
    """Sorting goes by its beginning."""
    return Cell(str(label), float(str(label).rstrip("+").split("-")[0]))


def _numbers(row: Mapping[str, float], x: str) -> list[Cell]:
    metrics = [
        with_interval(*(row.get(f"{column}{end}") for end in ("", "_low", "_high")))
        for column in _columns()
    ]
    return [cell(int(row["users"])), *metrics, Cell(f"{row[x]:,.1f}", row[x])]


def _by_popularity(run: ReportedRun) -> pd.DataFrame:
    ranks = read_rank_table(run.bytes_of(RANKS), f"{run.name}: {RANKS}")
    items = ranks["item"].to_numpy(np.int64)
    counts = np.bincount(_train_items(run), minlength=items.max() + 1)
    sampled, full = protocols(ranks)
    by_protocol = {"sampled": ranks[sampled].to_numpy(), "full": ranks[full].to_numpy()}
    return bucket_table(counts[items], "popularity", EDGES, by_protocol, samples=SAMPLES, seed=SEED)


def _train_items(run: ReportedRun) -> np.ndarray:
    """int32: the items of all training sequences."""
    if run.folder is not None and (run.folder / TRAIN_ITEMS).is_file():
        return read_npy(run.folder / TRAIN_ITEMS, np.int32, ndim=1, stage="split")
    try:
        return np.load(io.BytesIO(run.bytes_of(TRAIN_ITEMS)), allow_pickle=False)
    except ValueError:
        raise UserError(f"{run.name}: {TRAIN_ITEMS} is not a readable .npy array") from None
