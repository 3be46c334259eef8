"""Whether a line could be a row by itself, though a quoted field goes on over it."""

import csv
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RowShape:
    """What a line must look like to be a row by itself.

    Attributes:
        delimiter: the character between fields.
        width: the number of fields.
        checks: for the fields that are needed, by position, whether a text may stand there.
        timed: whether one of them is a time, which running text hardly holds by chance.
    """

    delimiter: str
    width: int
    checks: dict[int, Callable[[str], bool]]
    timed: bool

    def swallowed(self, before: bytes, field: bytes, after: bytes) -> int:
        """How many lines below its opening a quoted field has one that looks like a row, or 0.

        `field` begins with the quote that opens it and ends before the one that closes it;
        `before` is the rest of the line that it opens on, `after` of the one it closes on.
        """
        first, *middle, last = field.split(b"\n")
        complete = None  # whether the line that it opens on is a row, with a quote as a character
        for count, line in enumerate([*middle, last + b'"' + after], start=1):
            if line.count(self.delimiter.encode()) < self.width - 1:
                continue  # nearly always
            start = self._quoted(before)
            place = len(start) - 1  # of the quoted field
            if complete is None:
                complete = self._fits(self._joined(start, self._plain(first)), place)
            if count <= len(middle):
                if (complete or self.timed) and self._fits(self._plain(line), place):
                    return count
            elif complete:
                fields = self._joined(self._plain(last + b'"'), self._quoted(after))
                if self._fits(fields, place):
                    return count
        return 0

    def _fits(self, fields: list[str], place: int) -> bool:
        """Whether these fields could be a row; that at `place` may have been cut by delimiters.

        Only where a time must fit too: running text has delimiters of its own.
        """
        if self.timed and len(fields) > self.width:
            rest = self.width - 1 - place
            fields = [*fields[: place + 1], *fields[len(fields) - rest :]]
        return len(fields) == self.width and all(
            check(fields[index]) for index, check in self.checks.items()
        )

    def _plain(self, piece: bytes) -> list[str]:
        """The fields of a piece of a line in which quotes are characters like any other."""
        return _text(piece).split(self.delimiter)

    def _quoted(self, piece: bytes) -> list[str]:
        """The fields of a piece of a line in which quotes count."""
        return next(csv.reader([_text(piece)], delimiter=self.delimiter), None) or [""]

    @staticmethod
    def _joined(left: list[str], right: list[str]) -> list[str]:
        """The fields of a line of two pieces, cut inside a field."""
        return [*left[:-1], left[-1] + right[0], *right[1:]]


def _text(piece: bytes) -> str:
    return piece.removesuffix(b"\r").decode(errors="replace")
