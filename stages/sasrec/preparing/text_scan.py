"""A text file's bytes, checked before they are parsed: quotes, line ends, what is no text.

Quotes count as RFC 4180 has them: one opens a field at the field's start, closes it before a
delimiter or the end of the line, and is doubled inside. Whatever breaks that is refused, since
a quote that opens or closes elsewhere shifts or swallows what follows. So is a quoted field
over several lines of which a later one could be a row: a stray quote may have swallowed it.
"""

from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import numpy as np

from sasrec.base.errors import UserError
from sasrec.preparing.quote_places import (
    LINE_FEED,
    QUOTE,
    RETURN,
    Runs,
    empty_lines,
    inside,
    outside,
    places,
)
from sasrec.preparing.row_shape import RowShape

BLOCK = 1 << 24
LONGEST = 1 << 30
BOM = b"\xef\xbb\xbf"
PLAIN_QUOTES = "if quotes are plain characters in this file, set data.quoted: false"


@dataclass
class TextScan:
    """Goes through a text file once, in blocks that end where a row ends.

    Attributes:
        label: the file's name in messages.
        delimiter: the byte between fields.
        quoted: whether quotes mean anything.
        shape: what a row looks like.
        rows: rows so far, the header among them, lines without anything not.
        has_quotes, has_long_fields: whether a quote, or a field over several lines, was found.
        longest_block: bytes that were looked at together, the longest row among them.
    """

    label: str
    delimiter: int
    quoted: bool
    shape: RowShape
    rows: int = 0
    has_quotes: bool = False
    has_long_fields: bool = False
    longest_block: int = BLOCK
    _line: int = 1  # the line that the current block begins with

    def run(self, stream: BinaryIO) -> None:
        """Check everything.

        Raises:
            UserError: the first thing that is wrong, and its line.
        """
        block = stream.read(BLOCK)
        block = block.removeprefix(BOM)
        while block:
            end = self._check(block)
            # A row longer than a block: ask for twice as much.
            more = stream.read(max(BLOCK, len(block) if end == 0 else 0))
            block = block[end:] + more
            self.longest_block = max(self.longest_block, len(block))
            if self.longest_block > LONGEST:
                reason = f"a row of more than {LONGEST} bytes"
                self._fail(block, self._last_opening(block), reason, quote=self.quoted)
            if not more:
                break
        if block:
            end = self._check(block + b"\n")
            if end == 0:
                self._fail(block, self._last_opening(block), "a quote is never closed", quote=True)

    def _last_opening(self, block: bytes) -> int:
        """Where the field opens that a block ends in; 0 if no quote opens one."""
        quotes = places(block, QUOTE)
        runs = Runs(quotes)
        opens = runs.first[(runs.first % 2 == 0) & (runs.stop % 2 == 1)]
        return int(quotes[opens[-1]]) if len(opens) else 0

    def _check(self, block: bytes) -> int:
        """Check a block up to the last row that ends in it; return where that is, or 0."""
        end = block.rfind(b"\n") + 1
        part = block[:end]
        if self.quoted and b'"' in part:
            end = self._check_quotes(part)
            part = part[:end]
        else:
            self._check_plain(part)
        self._line += part.count(b"\n")
        return end

    def _check_plain(self, part: bytes) -> None:
        """Lines without quotes, or in which they mean nothing."""
        self._check_bytes(part, part)
        feeds = np.frombuffer(part, dtype=np.uint8) == LINE_FEED
        self.rows += int(np.count_nonzero(feeds))
        if b"\r" in part:
            self.rows -= empty_lines(part, np.flatnonzero(feeds))
        elif part:
            self.rows -= int(np.count_nonzero(feeds[1:] & feeds[:-1])) + int(feeds[0])

    def _check_quotes(self, part: bytes) -> int:
        """The same with quotes; return where the last row ends."""
        self.has_quotes = True
        quotes, lines = places(part, QUOTE), places(part, LINE_FEED)
        self._check_grammar(part, quotes)
        row_ends = lines[~inside(quotes, lines)]
        if len(row_ends) == 0:
            return 0
        end = int(row_ends[-1]) + 1
        part, quotes, lines = part[:end], quotes[quotes < end], lines[lines < end]
        unquoted = outside(part, quotes) if len(row_ends) < len(lines) or b"\r" in part else part
        self._check_bytes(part, unquoted)
        if len(row_ends) < len(lines):
            self._check_long_fields(part, quotes, lines)
        self.rows += len(row_ends) - empty_lines(unquoted, row_ends)
        return end

    def _check_grammar(self, part: bytes, quotes: np.ndarray) -> None:
        """Every quote opens, closes or is doubled as it should; all runs of quotes at once."""
        runs = Runs(quotes)
        data = np.frombuffer(part, dtype=np.uint8)
        first, last = quotes[runs.first], quotes[runs.stop - 1]
        before = np.where(first > 0, data[first - 1], LINE_FEED)
        after = data[last + 1]  # a part ends in a line feed
        opens = runs.first % 2 == 0
        closes = runs.stop % 2 == 0
        misplaced = opens & (before != self.delimiter) & (before != LINE_FEED)
        ends = (after == self.delimiter) | (after == LINE_FEED) | (after == RETURN)
        unfinished = closes & ~ends
        wrong = misplaced | unfinished
        if not wrong.any():
            return
        run = int(np.argmax(wrong))
        if misplaced[run]:
            reason = "a quote inside a field that does not begin with one (double it, in quotes)"
            self._fail(part, int(first[run]), reason, quote=True)
        opening = int(first[: run + 1][opens[: run + 1]][-1])
        opened = self._line + part.count(b"\n", 0, opening)
        here = self._line + part.count(b"\n", 0, int(last[run]))
        since = "" if opened == here else f", in a field that a quote opens on line {opened}"
        reason = f"text follows a closing quote{since} (double a quote inside a field)"
        self._fail(part, int(last[run]), reason, quote=True)

    def _check_bytes(self, part: bytes, unquoted: bytes) -> None:
        """No zero bytes, no second byte order mark; lone carriage returns only in quotes."""
        if b"\0" in part:
            self._fail(part, part.index(b"\0"), "a zero byte: damaged, or not UTF-8 text")
        # A single byte is looked for first: that takes a tenth of the time.
        inner = BOM[:1] in part and b"\n" + BOM in part
        if inner or (self._line > 1 and part.startswith(BOM)):
            place = 0 if part.startswith(BOM) else part.index(b"\n" + BOM) + 1
            reason = "a byte order mark inside the file (two files put together?)"
            self._fail(part, place, f"{reason}; remove it")
        if b"\r" in unquoted and unquoted.count(b"\r") != unquoted.count(b"\r\n"):
            place = unquoted.replace(b"\r\n", b"\n\n").index(b"\r")
            reason = "a carriage return without a line feed"
            self._fail(part, place, f"{reason}; end lines with a line feed")

    def _check_long_fields(self, part: bytes, quotes: np.ndarray, lines: np.ndarray) -> None:
        """Refuse a field over several lines if one of them, by itself, looks like a row."""
        self.has_long_fields = True
        runs = Runs(quotes)
        opens = quotes[runs.first[(runs.first % 2 == 0) & (runs.stop % 2 == 1)]]
        closes = quotes[runs.stop[(runs.first % 2 == 1) & (runs.stop % 2 == 0)] - 1]
        first, last = np.searchsorted(lines, opens), np.searchsorted(lines, closes)
        long = np.flatnonzero(first < last)
        for opening, closing, one, two in zip(
            opens[long], closes[long], first[long], last[long], strict=True
        ):
            start = int(lines[one - 1]) + 1 if one > 0 else 0
            swallowed = self.shape.swallowed(
                part[start:opening], part[opening:closing], part[closing + 1 : lines[two]]
            )
            if swallowed:
                row = self._line + int(one) + swallowed
                reason = (
                    f"a quoted field opens here and goes on over line {row}, which looks like a "
                    "row of its own (a stray quote?); close the quote"
                )
                self._fail(part, int(opening), reason, quote=True)

    def _fail(self, part: bytes, place: int, reason: str, *, quote: bool = False) -> NoReturn:
        line = self._line + part.count(b"\n", 0, place)
        remedy = f"; {PLAIN_QUOTES}" if quote else ""
        raise UserError(f"{self.label}, line {line}: {reason}{remedy}")
