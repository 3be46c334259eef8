"""What stands between the fields of a text file, and whether its first line names them."""

import csv
from collections.abc import Callable, Mapping, Sequence

from sasrec.base.errors import UserError
from sasrec.preparing.tables import listed

CANDIDATES = ("\t", ";", "|", ",", "::", "\x01", " ")
SAMPLE = 50  # rows
MOST = 0.5  # of these; the wrong ones among them are named when all are read
WORDS = {"\t": "a tab", " ": "a space"}

Checks = Mapping[str, Callable[[str], bool]]


def split_rows(lines: Sequence[str], delimiter: str, quoted: bool) -> list[list[str]]:
    """The fields of some rows."""
    if len(delimiter) > 1:
        return [line.split(delimiter) for line in lines]
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    return [row for row in csv.reader(lines, delimiter=delimiter, quoting=quoting) if row]


def delimiter_by_names(lines: Sequence[str], names: Sequence[str], quoted: bool) -> str:
    """The delimiter with which the first line names all columns; else that of most fields."""
    widths = {}
    for delimiter in CANDIDATES:
        header = next(iter(split_rows(lines, delimiter, quoted)), [])
        if all(header.count(name) == 1 for name in names):
            return delimiter
        widths[delimiter] = len(header)
    return max(widths, key=lambda one: (one != " ", widths[one], one == ","))


def delimiter_by_positions(
    lines: Sequence[str], places: Mapping[str, int], quoted: bool, checks: Checks, label: str
) -> str:
    """The delimiter that gives every row as many fields, and values where they are expected.

    Raises:
        UserError: none does, or several do.
    """
    needed = max(2, max(places.values()) + 1)
    # A stray quote would spoil the sample; the reader names its line once it reads all.
    fits = _fits(lines, places, quoted, checks, needed) or _fits(
        lines, places, False, checks, needed
    )
    if not fits:
        first = lines[0].strip() if lines else ""
        raise UserError(
            f"{label}, line 1: no delimiter cuts {first[:80]!r} and the lines below it into "
            f"{needed} or more fields each, with a value in every column that data.columns places; "
            "name it in data.delimiter"
        )
    best = max(fits.values())
    widest = [one for one, width in fits.items() if width == best and one != " "] or [" "]
    if len(widest) > 1:
        both = " or ".join(WORDS.get(one, repr(one)) for one in widest)
        raise UserError(f"{label}: fields may be cut by {both}: name it in data.delimiter")
    return widest[0]


def _fits(
    lines: Sequence[str], places: Mapping[str, int], quoted: bool, checks: Checks, needed: int
) -> dict[str, int]:
    """The delimiters that cut most rows rightly, and into how many fields."""
    fits: dict[str, int] = {}
    for delimiter in CANDIDATES:
        rows = split_rows(lines, delimiter, quoted)
        width = len(rows[0]) if rows else 0
        if width < needed:
            continue
        right = sum(
            len(row) == width and all(check(row[places[name]]) for name, check in checks.items())
            for row in rows
        )
        if right > MOST * len(rows) or (len(rows) <= 2 and right):
            fits[delimiter] = width
    return fits


def refuse_header(
    rows: Sequence[Sequence[str]], places: Mapping[str, int], checks: Checks, label: str
) -> None:
    """Refuse a first row that is a header, where columns are given by position."""
    if len(rows) < 2:
        return
    first, others = rows[0], rows[1:]
    tested = [name for name, check in checks.items() if all(check(r[places[name]]) for r in others)]
    no_value = any(not checks[name](first[places[name]]) for name in tested)
    words = all(
        not any(c.isdigit() for c in first[place]) and all(r[place].isdigit() for r in others)
        for place in places.values()
    )
    if no_value or words:
        raise UserError(
            f"{label}, line 1: looks like a header ({listed(first)}), not like the rows below it; "
            "with a header give data.columns by its names, not by positions"
        )
