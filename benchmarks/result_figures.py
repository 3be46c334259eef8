"""Pictures of the tables of docs/results.md, from the CSV files beside them."""

from pathlib import Path

import matplotlib
import pandas as pd
from result_tables import METRICS, Table

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

PAPER = {"HR@10": 0.8245, "NDCG@10": 0.5905}  # table III, MovieLens-1M
LENGTHS = {"official": 200}  # of rows whose names do not say it


def draw_rows(table: Table, folder: Path) -> None:
    """Every row's mean and interval in each metric, and its runs as dots: TABLE.png."""
    runs, rows = _read(table, folder)
    names = [row for row in table.settings if row in set(rows["row"])]
    if len(names) < 2:
        return
    figure, axes = pyplot.subplots(1, 4, figsize=(16, 1.6 + 0.45 * len(names)), sharey=True)
    for axis, (protocol, metric) in zip(axes, METRICS, strict=True):
        for place, row in enumerate(names):
            found = rows[
                (rows["row"] == row) & (rows["protocol"] == protocol) & (rows["metric"] == metric)
            ].iloc[0]
            axis.plot([found["low"], found["high"]], [place, place], color="0.75", linewidth=3)
            axis.plot(found["mean"], place, "|", color="black", markersize=14)
            experiments = [experiment.name for experiment in table.experiments(row)]
            dots = runs[runs["experiment"].isin(experiments)][f"{protocol}_{metric}"]
            axis.plot(dots, [place] * len(dots), "o", color="tab:blue", markersize=5, alpha=0.7)
        _mark_paper(axis, table, names, protocol, metric)
        axis.set_title(f"{metric}, {_protocol(protocol)}")
        axis.grid(axis="x", alpha=0.3)
        axis.locator_params(axis="x", nbins=5)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)  # the first row on top
    figure.suptitle(
        f"{table.name}: each seed (dot), their mean (line), its 95% interval over users (grey)"
    )
    marks, labels = axes[1].get_legend_handles_labels()  # where the paper's marks always are
    if marks:
        figure.legend(
            marks, labels, loc="upper right", fontsize=8
        )  # beside the title, over nothing
    figure.tight_layout()
    figure.savefig(folder / f"{table.name}.png", dpi=100)
    pyplot.close(figure)


def _mark_paper(axis: Axes, table: Table, names: list[str], protocol: str, metric: str) -> None:
    """What the paper has for each row, or for the model as a whole."""
    if protocol == "full" or table.dataset != "ml-1m":
        return
    if not table.paper:
        axis.axvline(PAPER[metric], color="tab:red", linestyle="--", label="paper, table III")
    elif metric == "NDCG@10":
        places = [place for place, row in enumerate(names) if row in table.paper]
        values = [table.paper[names[place]] for place in places]
        axis.plot(values, places, "D", color="tab:red", markersize=5, label="paper, table IV")


def draw_lengths(table: Table, folder: Path) -> None:
    """NDCG@10 by the length of sequences, beside the paper's: TABLE.png."""
    _, rows = _read(table, folder)
    rows = rows[(rows["protocol"] == "sampled") & (rows["metric"] == "NDCG@10")].set_index("row")
    names = [row for row in table.settings if row in rows.index]
    if len(names) < 2:
        return
    lengths = [LENGTHS.get(row) or int(row.removeprefix("length-")) for row in names]
    own = rows.loc[names]
    figure, axis = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    errors = [own["mean"] - own["low"], own["high"] - own["mean"]]
    axis.errorbar(lengths, own["mean"], errors, marker="o", capsize=4, label="here, 95% interval")
    axis.plot(lengths, [table.paper[row] for row in names], "s--", label="paper, table V")
    axis.set(
        title=f"{table.name}: NDCG@10 (sampled candidates) by length",
        xlabel="positions kept of each sequence",
        ylabel="NDCG@10",
    )
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(folder / f"{table.name}.png", dpi=100)
    pyplot.close(figure)


def draw_test_curve(folder: Path) -> None:
    """Test metrics by epoch beside the paper's numbers: test_curve.png."""
    path = folder / "test_curve.csv"
    if not path.exists():
        return
    curve = pd.read_csv(path)
    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4), layout="constrained")
    for axis, (metric, paper) in zip(axes, PAPER.items(), strict=True):
        axis.plot(curve["epoch"], curve[f"sampled_{metric}"], label="test, official, seed 1")
        axis.axhline(paper, color="black", linestyle="--", label=f"paper, {paper}")
        axis.set(title=f"{metric}, sampled candidates", xlabel="epoch", ylabel=metric)
        axis.grid(alpha=0.3)
        axis.legend(loc="lower right")
    figure.suptitle("MovieLens-1M: test metrics by epoch, without early stopping")
    figure.savefig(folder / "test_curve.png", dpi=100)
    pyplot.close(figure)


def _read(table: Table, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    runs, rows = (pd.read_csv(folder / f"{name}.csv") for name in ("runs", "rows"))
    return runs, rows[rows["table"] == table.name]


def _protocol(name: str) -> str:
    return "all items" if name == "full" else "sampled candidates"
