"""A picture of a comparison of two experiments: each difference with its interval."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from sasrec.base.errors import printable
from sasrec.base.files import new_file
from sasrec.comparing.runs.comparison import Comparison, Verdict
from sasrec.comparing.runs.experiments import Side

LONGEST_NAME = 60
SHOWN, NOT_SHOWN = "tab:blue", "tab:grey"
SEED_POINT = {"color": "black", "marker": "o", "markersize": 3.5, "alpha": 0.6, "linestyle": ""}
SEEDS_BELOW = 0.22  # of a row


def draw_differences(comparison: Comparison, path: Path) -> None:
    """Write a forest plot (PNG): a row a metric, B - A as a point on its 95% interval.

    Small points are the differences of single seeds.
    """
    verdicts = comparison.verdicts
    figure = Figure(figsize=(8, 2.3 + 0.55 * len(verdicts)), layout="constrained")
    axis = figure.add_subplot()
    for place, verdict in enumerate(verdicts):
        _draw_row(axis, place, verdict)
    axis.axvline(0, color="black", linewidth=1)
    names = [verdict.name for verdict in verdicts]
    axis.set_yticks(range(len(verdicts)), names)
    axis.set_ylim(len(verdicts) - 0.4, -0.6)
    reach = max(map(abs, axis.get_xlim()))
    axis.set_xlim(-reach, reach)  # zero in the middle: each side has its half
    axis.grid(alpha=0.3, axis="x")
    title = "\n".join(f"{side.label}: {_name(side)}" for side in (comparison.a, comparison.b))
    axis.set_title(title, fontsize=11, loc="left")
    sides = "$\\leftarrow$ A is better", "B - A, 95% interval", "B is better $\\rightarrow$"
    axis.set_xlabel((8 * " ").join(sides))
    figure.legend(handles=_legend(comparison.paired), loc="outside lower center", ncols=3)
    with new_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})


def _draw_row(axis: Axes, place: int, verdict: Verdict) -> None:
    found = verdict.difference
    color = SHOWN if verdict.better else NOT_SHOWN
    axis.plot([found.low, found.high], [place, place], color=color, linewidth=2.5)
    axis.plot(found.difference, place, "o", color=color, markersize=8)
    seeds = found.run_differences
    axis.plot(seeds, [place + SEEDS_BELOW] * len(seeds), **SEED_POINT)
    text = f"{found.difference:+.4f}"
    axis.annotate(text, (found.difference, place), (0, 7), textcoords="offset points", ha="center")


def _legend(seeds: bool) -> list[Line2D]:
    lines = [
        Line2D([], [], color=SHOWN, marker="o", label="difference shown (Holm, 5%)"),
        Line2D([], [], color=NOT_SHOWN, marker="o", label="no difference shown"),
    ]
    return [*lines, Line2D([], [], **SEED_POINT, label="single seeds")] if seeds else lines


def _name(side: Side) -> str:
    names = printable(side.names)
    if len(names) > LONGEST_NAME:
        names = f"{names[: LONGEST_NAME - 3]}..."
    return names.replace("$", r"\$")  # no formula
