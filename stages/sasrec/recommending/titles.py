"""Items by their titles."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from heapq import nlargest
from itertools import pairwise

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Catalogue

TITLE, YEAR = "title", "year"  # the details that make a title
SHOWN = 3  # titles of a sentence


class Titles:
    """The titles of a catalogue's items: with the year where it is known, as "Heat (1995)".

    Attributes:
        of: the title of each raw id; "" where it is not known.
        known: whether there is any.
    """

    def __init__(self, items: Catalogue) -> None:
        self._path = items.path
        self.of = {raw_id: _title(items, raw_id) for raw_id in items.raw_ids.values()}
        self.known = any(self.of.values())

    def find(self, text: str) -> str:
        """The raw id of the item with a title.

        The title may be in full, with or without its year, or its beginning. Upper or lower case
        decides only between titles that are alike otherwise.

        Raises:
            UserError: no item has it, or several do; the sentence names the nearest titles.
        """
        if not self.known:
            raise UserError(f"{self._path} has no titles: name items by their ids (--item)")
        wanted = _plain(text)
        found: list[str] = []
        if wanted:
            found = (
                [raw for raw, title in self.of.items() if text.strip() in _forms(title)]
                or self._where(lambda title: wanted in map(_plain, _forms(title)))
                or self._where(lambda title: _plain(title).startswith(wanted))
            )
        if len(found) == 1:
            return found[0]
        raise UserError(self._several(text, found) if found else self._none(text, wanted))

    def _where(self, fits: Callable[[str], bool]) -> list[str]:
        return [raw for raw, title in self.of.items() if title and fits(title)]

    def _several(self, text: str, found: Sequence[str]) -> str:
        shown = ", ".join(f"{self.of[raw]!r} (id {raw})" for raw in found[:SHOWN])
        more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        return (
            f"{text!r} is the title, or its beginning, of {len(found)} items: {shown}{more}; write "
            "it in full, or name the item by its id (--item)"
        )

    def _none(self, text: str, wanted: str) -> str:
        """With the titles that hold it, or else those that are most alike."""
        plain = {_plain(title): title for title in self.of.values() if title}
        near = [one for one in plain if wanted and wanted in one][:SHOWN]
        near = near or nlargest(SHOWN, plain, key=lambda one: _likeness(wanted, one))
        shown = ", ".join(repr(plain[one]) for one in near)
        return f"no item of {self._path} has the title {text!r}; the nearest are {shown}"


def _likeness(one: str, other: str) -> float:
    """From 0 to 1: Dice's coefficient of the pairs of letters; a second for 300,000 titles."""
    pairs, others = ({*pairwise(text)} for text in (one, other))
    return 2 * len(pairs & others) / max(1, len(pairs) + len(others))


def _title(items: Catalogue, raw_id: str) -> str:
    details = items.details
    known = dict(zip(details.columns, details.rows.get(raw_id, ()), strict=False))
    title, year = known.get(TITLE, ""), known.get(YEAR, "")
    return f"{title} ({year})" if title and year and not title.endswith(f"({year})") else title


def _forms(title: str) -> tuple[str, str]:
    """With its year, and without."""
    return title, re.sub(r" \(\d+\)$", "", title)


def _plain(title: str) -> str:
    """What titles are compared by: not how letters are composed, nor their case."""
    return unicodedata.normalize("NFC", " ".join(title.split())).casefold()
