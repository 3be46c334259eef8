"""Pictures for people: the same curves that DVC draws from the CSV files."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import pandas as pd
from matplotlib import pyplot
from matplotlib.axes import Axes

from sasrec.base.files import new_file

Curve = tuple[str, str]  # column, label


def draw_training(training: pd.DataFrame, validation: pd.DataFrame, best: int, path: Path) -> None:
    """Loss, NDCG@10 and HR@10 by epoch, with the kept epoch marked."""
    _figure, axes = pyplot.subplots(1, 3, figsize=(15, 4), layout="constrained")
    axes[0].plot(training["epoch"], training["train_loss"], label="training (with dropout)")
    axes[0].plot(validation["epoch"], validation["valid_loss"], label="validation")
    axes[0].set(title="Loss", ylabel="loss a position")
    for axis, metric in zip(axes[1:], ("NDCG@10", "HR@10"), strict=True):
        for protocol, label in (("sampled", "sampled candidates"), ("full", "all items")):
            axis.plot(validation["epoch"], validation[f"{protocol}_{metric}"], label=label)
        axis.set(title=f"Validation {metric}", ylabel=metric)
        axis.set_ylim(bottom=0)
    for axis in axes:
        axis.axvline(best, color="grey", linestyle=":", label=f"kept: epoch {best}")
        axis.set_xlabel("epoch")
        axis.legend()
        axis.grid(alpha=0.3)
    _save(path)


def draw_by_length(table: pd.DataFrame, path: Path) -> None:
    """Test NDCG@10 and HR@10 by the length of the user's history, with their intervals."""
    _figure, axes = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    ticks = [
        f"{name}\n{users} users" for name, users in zip(table["range"], table["users"], strict=True)
    ]
    for axis, metric in zip(axes, ("NDCG@10", "HR@10"), strict=True):
        _bars(axis, table, [(f"sampled_{metric}", "sampled"), (f"full_{metric}", "full")])
        axis.set_xticks(range(len(table)), ticks, fontsize=8)
        axis.set(title=f"Test {metric} by length of history, 95% intervals", ylabel=metric)
        axis.set_xlabel("interactions in the history")
    _save(path)


def draw_by_rank(table: pd.DataFrame, path: Path) -> None:
    """How often each rank occurs, and HR@k for every k, by both protocols."""
    _, axes = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for protocol, label in (("sampled", "sampled candidates"), ("full", "all items")):
        occurring = table[table[f"{protocol}_share"] > 0]
        axes[0].plot(occurring["rank"], occurring[f"{protocol}_share"], ".", label=label)
        axes[1].plot(table["rank"], table[f"{protocol}_HR"], label=label)
    axes[0].set(title="How often each rank occurs", xlabel="rank of the target, 1 is best")
    axes[0].set(ylabel="share of users", xscale="log", yscale="log")
    axes[1].set(title="Hit rate at every cut-off", xlabel="k", ylabel="HR@k", ylim=(0, 1))
    for axis in axes:
        axis.legend()
        axis.grid(alpha=0.3)
    _save(path)


def _bars(axis: Axes, table: pd.DataFrame, curves: Sequence[Curve]) -> None:
    width = 0.8 / len(curves)
    for index, (column, label) in enumerate(curves):
        places = [place + (index - (len(curves) - 1) / 2) * width for place in range(len(table))]
        low, high = (table[f"{column}_{end}"] for end in ("low", "high"))
        ends = [(table[column] - low).clip(lower=0), (high - table[column]).clip(lower=0)]
        style = {"ecolor": "black", "error_kw": {"elinewidth": 1, "capsize": 3}}
        axis.bar(places, table[column], width, yerr=ends, label=label, **style)
    axis.legend()
    axis.grid(alpha=0.3, axis="y")


def _save(path: Path) -> None:
    with new_file(path) as temporary:
        pyplot.savefig(temporary, format="png", dpi=100, metadata={"Software": None})
    pyplot.close("all")
