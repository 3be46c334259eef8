"""What makes a view of a sequence: a row of the table `AUGMENTATIONS` (tables.py) is one."""

from abc import ABC, abstractmethod

import torch

from sasrec.objectives.views.rows import Rows
from sasrec.objectives.views.similar import SimilarItems


class Augmentation(ABC):
    """Changes a share of each sequence.

    Attributes:
        widens: how many times as wide its rows are as those that it is given.
    """

    widens = 1

    def __init__(self, share: float, similar: SimilarItems) -> None:
        self.share = share
        self.similar = similar

    @abstractmethod
    def __call__(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """A view of each sequence, of one item or more, in rows of any width."""

    @staticmethod
    def lengthens(share: float) -> float:
        """How many times as long as its sequence a view is, about."""
        return 1.0
