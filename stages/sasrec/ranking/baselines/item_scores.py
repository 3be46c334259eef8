"""Scores by items alone: what goes with the latest items of the history, then what is popular.

Shapes: B users of a chunk, N items.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.data.sequences import Sequences
from sasrec.data.sparse_rows import SparseRows
from sasrec.ranking.scoring import Scorer

# How much popularity counts at the most: less than any count, and than any cosine of items that
# fewer than a million users know.
LEAST = 1e-6


@dataclass(frozen=True)
class Baseline:
    """What a baseline learnt by counting.

    Attributes:
        rows: what each item of a history gives to the score of every item; None for nothing.
        recent: how many of the latest items of a history count.
        popularity: int64 [N + 1], how often each item was interacted with. It decides between
            items that are alike otherwise, such as those that no row names.
    """

    rows: SparseRows | None
    recent: int
    popularity: np.ndarray

    def scores(self, histories: list[np.ndarray]) -> np.ndarray:
        """Float64 [B, N + 1] of all items after B histories, int32, oldest first, not empty."""
        by_popularity = self.popularity * (LEAST / max(1, self.popularity.max()))
        if self.rows is None:
            return np.tile(by_popularity, (len(histories), 1))
        return self.rows.sums([one[-self.recent :] for one in histories]) + by_popularity


class BaselineScores(Scorer):
    """The scores of a baseline after `histories`, on the CPU."""

    device = torch.device("cpu")

    def __init__(self, baseline: Baseline, histories: Sequences) -> None:
        self._baseline = baseline
        self._histories = histories

    @property
    def histories(self) -> Sequences:
        return self._histories

    @property
    def num_items(self) -> int:
        return len(self._baseline.popularity) - 1

    def scores(self, users: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """As `Scorer` says; float64."""
        scores = self._baseline.scores([self._histories.of(user) for user in users])
        return users, torch.from_numpy(scores)


def popularity_of(train: Sequences, num_items: int) -> np.ndarray:
    """int64 [N + 1]: how often each item occurs in `train`."""
    return np.bincount(train.items, minlength=num_items + 1)
