"""Where quotes and line ends stand in a block of text that begins outside of quoted fields."""

import numpy as np

QUOTE, LINE_FEED, RETURN = b'"\n\r'


class Runs:
    """Quotes that stand side by side: the first of each run, and the one after its last.

    An even number of quotes before a place means that it is outside of quoted fields.
    """

    def __init__(self, quotes: np.ndarray) -> None:
        """`quotes` are the places of all quotes."""
        starts = np.flatnonzero(np.diff(quotes, prepend=-2) != 1)
        self.first = starts
        self.stop = np.append(starts[1:], len(quotes))


def places(part: bytes, byte: int) -> np.ndarray:
    """Where a byte stands, ascending."""
    return np.flatnonzero(np.frombuffer(part, dtype=np.uint8) == byte)


def inside(quotes: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Which of these places lie in a quoted field."""
    return np.searchsorted(quotes, found) % 2 == 1


def outside(part: bytes, quotes: np.ndarray) -> bytes:
    """As many bytes, in which what would end a line is blank in quoted fields."""
    data = np.frombuffer(part, dtype=np.uint8).copy()
    for byte in (LINE_FEED, RETURN):
        found = np.flatnonzero(data == byte)
        data[found[inside(quotes, found)]] = ord(" ")
    return data.tobytes()


def empty_lines(part: bytes, line_ends: np.ndarray) -> int:
    """How many of the lines hold nothing."""
    data = np.frombuffer(part, dtype=np.uint8)
    lengths = np.diff(line_ends, prepend=-1) - 1
    only_return = (lengths == 1) & (data[line_ends - 1] == RETURN)
    return int(np.count_nonzero((lengths == 0) | only_return))
