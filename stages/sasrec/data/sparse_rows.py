"""A square matrix over items of which most entries are 0, row by row."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SparseRows:
    """Compressed sparse rows: row i is `values[offsets[i]:offsets[i + 1]]` at `columns[...]`.

    Attributes:
        offsets: int64 [N + 2]; row 0 is padding and empty.
        columns: int32, items from 1.
        values: float32, positive.
    """

    offsets: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @property
    def num_items(self) -> int:
        return len(self.offsets) - 2

    def sums(self, chosen: list[np.ndarray]) -> np.ndarray:
        """For each of B lists of items, the sum of their rows: float64 [B, N + 1]."""
        items = np.concatenate(chosen)
        lists = np.repeat(np.arange(len(chosen)), [len(one) for one in chosen])
        places, owners = entries_of(self.offsets, items)
        width = self.num_items + 1
        flat = lists[owners] * width + self.columns[places]
        sums = np.bincount(flat, self.values[places], minlength=len(chosen) * width)
        return sums.reshape(len(chosen), width)


def entries_of(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the entries of `rows` stand, one row after the other.

    Args:
        offsets: int64, of compressed sparse rows.
        rows: int [R], in any order, also several times.

    Returns: int64, the places of the entries; and for each the number, 0 to R - 1, of its row.
    """
    counts = offsets[rows + 1] - offsets[rows]
    owners = np.repeat(np.arange(len(rows)), counts)
    before = np.cumsum(counts) - counts
    return np.arange(len(owners)) + (offsets[rows] - before)[owners], owners


def count_pairs(rows: np.ndarray, columns: np.ndarray, num_items: int) -> SparseRows:
    """How often each pair (row, column) of items occurs, from two int arrays of one length."""
    width = num_items + 1
    pairs, counts = np.unique(rows.astype(np.int64) * width + columns, return_counts=True)
    return SparseRows(
        offsets_of(pairs // width, num_items),
        (pairs % width).astype(np.int32),
        counts.astype(np.float32),
    )


def offsets_of(rows: np.ndarray, last: int) -> np.ndarray:
    """int64 [last + 2]: where each of the rows 0 to `last` begins, from every entry's row."""
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=last + 1))])
