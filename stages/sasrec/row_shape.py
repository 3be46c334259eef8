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
        first, *middle, last = (
            line.removesuffix("\r") for line in field.decode(errors="replace").split("\n")
        )
        complete = self._fits(self._joined(self._quoted(before), first.split(self.delimiter)))
        if complete or self.timed:
            for count, line in enumerate(middle, start=1):
                if self._fits(line.split(self.delimiter)):
                    return count
        if complete:
            plain = f'{last}"'.split(self.delimiter)
            if self._fits(self._joined(plain, self._quoted(after.removesuffix(b"\r")))):
                return len(middle) + 1
        return 0

    def _fits(self, fields: list[str]) -> bool:
        """Whether these fields could be a row."""
        return len(fields) == self.width and all(
            check(fields[place]) for place, check in self.checks.items()
        )

    def _quoted(self, piece: bytes) -> list[str]:
        """The fields of a piece of a line in which quotes count."""
        reader = csv.reader([piece.decode(errors="replace")], delimiter=self.delimiter)
        return next(reader, None) or [""]

    @staticmethod
    def _joined(left: list[str], right: list[str]) -> list[str]:
        """The fields of a line of two pieces, cut inside a field."""
        return [*left[:-1], left[-1] + right[0], *right[1:]]
