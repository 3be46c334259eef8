"""What a page is made of: sections of charts and tables, as the template lays them out."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup

from sasrec.reporting.run import AbsentError, ReportedRun


class Cell(NamedTuple):
    """Of a table.

    Attributes:
        text: as it is shown, escaped by the template.
        value: the number behind it, in full, which sorting goes by; None for text.
        below: a smaller line.
        share: 0 to 1, drawn as a bar behind the text.
    """

    text: str
    value: float | None = None
    below: str = ""
    share: float | None = None


EMPTY = Cell("")


class Table(NamedTuple):
    """A caption, a heading a column, and rows of as many cells; the first one names the row.

    Attributes:
        dense: narrow cells whose share is a shade, not to be sorted.
    """

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    dense: bool = False

    def numeric(self, column: int) -> bool:
        """Whether there is a number in a column."""
        return any(row[column].value is not None for row in self.rows)


class Chart(NamedTuple):
    """A title, the drawing as SVG, and whether its colours stand for runs."""

    title: str
    svg: Markup
    of_runs: bool = True


@dataclass
class Part:
    """Below a heading of its own: sentences, charts, tables, and smaller parts."""

    title: str
    notes: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    parts: list["Part"] = field(default_factory=list)
    folded: bool = False


@dataclass
class Section(Part):
    """A part of the page with a name to link to; `warnings` and `absent` are sentences too."""

    name: str = ""
    warnings: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def gather(
    section: Section, runs: Iterable[ReportedRun], read: Callable[[ReportedRun], Any]
) -> dict[str, Any]:
    """What `read` gives of each run, by name; where a file is absent the section says so."""
    found = {}
    for run in runs:
        try:
            found[run.name] = read(run)
        except AbsentError as error:
            section.absent.append(str(error))
    return found


def cell(value: Any, below: str = "") -> Cell:
    """Of a JSON value."""
    if isinstance(value, bool) or value is None:
        return Cell({True: "true", False: "false", None: "null"}[value], None, below)
    if isinstance(value, int):
        return Cell(f"{value:,}", value, below)
    if isinstance(value, float):
        if math.isnan(value):
            return EMPTY
        whole = value.is_integer() and abs(value) >= 10
        return Cell(f"{value:,.0f}" if whole else f"{value:,.4f}", value, below)
    return Cell(", ".join(map(str, value)) if isinstance(value, list) else str(value), None, below)


def with_interval(value: float, low: float | None, high: float | None) -> Cell:
    """A number above its interval, if there is one."""
    known = not any(end is None or math.isnan(end) for end in (low, high))
    return cell(float(value), f"{low:.4f} to {high:.4f}" if known else "")
