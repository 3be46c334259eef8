"""Charts as SVG that a page holds: its font, its colours by day and by night.

Text on a chart is our own, ASCII; names that strangers gave stand in the page, beside a colour.
"""

import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Of runs; they can be told apart on white and on black. More runs take them in turns.
COLORS = ("#2f7fd1", "#e0762f", "#2f9e63", "#b05fcf", "#d64c6f", "#9a7d35", "#2aa3a8", "#7f8794")
MARKERS = "osD^vPX*"
GREY = "#8a8f98"
FEW = 20  # points of a line, which are marked
LONGEST = 20  # characters of a label
INK = "#010203"  # stands for the colour of the page's text
SIZE = (3.9, 2.6)  # inches: narrower than a phone, so that text is not scaled down
STYLE = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
    **{"svg.fonttype": "none", "svg.hashsalt": "report", "font.family": "DejaVu Sans"},
    **{"font.size": 10, "axes.spines.top": False, "axes.spines.right": False},
    **{"axes.grid": True, "grid.alpha": 0.25, "grid.color": GREY, "text.parse_math": False},
}


@dataclass(frozen=True)
class Line:
    """A run's numbers over x, with the ends of their intervals if they have some.

    Attributes:
        run: its place among the runs, which is its colour's.
        dashed: a second kind of line.
        mark: an x to draw a vertical line at.
    """

    x: Sequence[float]
    y: Sequence[float]
    run: int
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False
    mark: float | None = None


@dataclass(frozen=True)
class Dot:
    """A number in a row of its own; `run` is its place among the runs, None for what is beside."""

    label: str
    value: float
    low: float | None
    high: float | None
    run: int | None


def color_of(run: int) -> str:
    return COLORS[run % len(COLORS)]


def draw_lines(lines: Sequence[Line], x_label: str, y_label: str, *, logarithmic: bool) -> Markup:
    """Lines; on a logarithmic x (0 has its place) points with intervals, a little apart."""
    with matplotlib.rc_context(STYLE):
        figure, axis = _figure(SIZE)
        for place, line in enumerate(lines):
            _draw_line(axis, line, apart=logarithmic * (place - (len(lines) - 1) / 2))
        axis.set(xlabel=x_label, ylabel=y_label)
        if logarithmic:
            axis.set_xscale("symlog", linthresh=1)
            shown = _ticks([x for line in lines for x in line.x])
            axis.set_xticks(shown, [f"{x:,}" for x in shown])
            axis.minorticks_off()
            axis.set_ylim(bottom=0)
        else:
            axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        return _svg(figure)


def _draw_line(axis: Axes, line: Line, apart: float) -> None:
    x = np.asarray(line.x, float) * 1.04**apart
    color = color_of(line.run)
    style = {"color": color, "linewidth": 1.6, "linestyle": ":" if line.dashed else "-"}
    style["zorder"] = 3 - line.run / 100  # where two are the same, the first one shows
    marker = MARKERS[line.run % len(MARKERS)]
    if line.low is None or line.high is None:
        few = len(x) < FEW
        axis.plot(x, line.y, marker=marker if few else None, markersize=4, **style)
    else:
        y, low, high = (np.asarray(one, float) for one in (line.y, line.low, line.high))
        ends = [np.maximum(0, y - low), np.maximum(0, high - y)]
        axis.errorbar(x, y, ends, marker=marker, markersize=4, capsize=3, elinewidth=1, **style)
    if line.mark is not None:
        axis.axvline(line.mark, color=color, linestyle="--", linewidth=0.9, alpha=0.8)


def _ticks(values: Sequence[float]) -> list[int]:
    """Round numbers over the range of `values`: 0, 1, 2, 5, 10 …, or 0, 1, 10 … if it is wide."""
    low, high = min(values), max(values)
    steps = (1, 2, 5) if high < 100 * max(1, low) else (1,)
    rounds = [0, *(step * 10**power for power in range(9) for step in steps)]
    return [x for x in rounds if low / 2 <= x <= 2 * high]


def draw_dots(dots: Sequence[Dot], x_label: str) -> Markup:
    """A row a number, from the top, with its interval as a line."""
    with matplotlib.rc_context(STYLE):
        figure, axis = _figure((SIZE[0], 0.8 + 0.27 * len(dots)))
        for place, dot in enumerate(dots):
            color = GREY if dot.run is None else color_of(dot.run)
            marker = "|" if dot.run is None else MARKERS[dot.run % len(MARKERS)]
            if dot.low is not None and dot.high is not None:
                axis.plot([dot.low, dot.high], [place, place], color=color, linewidth=2)
            axis.plot(dot.value, place, marker, color=color, markersize=6, markeredgewidth=2)
        axis.set_yticks(range(len(dots)), [_ascii(dot.label) for dot in dots])
        axis.set_ylim(len(dots) - 0.5, -0.5)
        axis.set_xlim(left=0)
        axis.set_xlabel(x_label)
        return _svg(figure)


def draw_matrix(matrix: np.ndarray, x_label: str, y_label: str) -> Markup:
    """Weights [M, M] of the latest M positions, counted back from the latest, which is 0."""
    with matplotlib.rc_context(STYLE | {"axes.grid": False}):
        figure, axis = _figure((SIZE[0], 3.3))
        count = len(matrix)
        shown = np.where(np.tri(count, dtype=bool), matrix, np.nan)
        mesh = axis.pcolormesh(shown, cmap="viridis", vmin=0, edgecolors="none")
        axis.invert_yaxis()
        places = np.arange(0, count, 2)
        for set_ticks in (axis.set_xticks, axis.set_yticks):
            set_ticks(count - 0.5 - places, [f"-{place}" if place else "0" for place in places])
        axis.set(xlabel=x_label, ylabel=y_label, aspect="equal")
        figure.colorbar(mesh, ax=axis, shrink=0.8)
        return _svg(figure)


def _figure(size: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.add_subplot()


def _svg(figure: Figure) -> Markup:
    """The drawing for the inside of a page: ids of its own, the page's colour of text."""
    stream = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"| height="[^"]*pt"', r"\1", text)
    own = f"c{hashlib.sha256(text.encode()).hexdigest()[:8]}-"
    text = re.sub(r'\b(id="|url\(#|href="#)', rf"\g<1>{own}", text)
    return Markup(text.replace("<svg", '<svg aria-hidden="true"', 1))


def _ascii(label: str) -> str:
    """At most LONGEST characters, of which the ends tell most."""
    text = label.encode("ascii", "replace").decode()
    text = "".join(character if character.isprintable() else "?" for character in text)
    half = LONGEST // 2 - 1
    return text if len(text) <= LONGEST else f"{text[:half]}..{text[-half:]}"
