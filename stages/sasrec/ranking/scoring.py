"""What gives items their scores: a model, or whatever else knows the histories.

Shapes: B users of a chunk, N items.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec


class Scorer(ABC):
    """Scores all items after a user's history."""

    @property
    @abstractmethod
    def histories(self) -> Sequences:
        """What it scores after."""

    @property
    @abstractmethod
    def num_items(self) -> int:
        """N."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the scores are; on the CPU several threads ask at once."""

    @abstractmethod
    def scores(self, users: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """Scores of all items for `users` [B], who may come back in another order.

        Returns: the users in the order of the scores, and the scores [B, N + 1], finite, the
        caller's to overwrite; column 0 is padding.
        """

    def while_ranking(self) -> AbstractContextManager[None]:
        """What holds while scores are asked for."""
        return nullcontext()


class ModelScores(Scorer):
    """The scores of a model, whose weights stay as they are: states times embedding."""

    def __init__(self, model: SASRec, reader: SequenceReader) -> None:
        self._model = model
        self._reader = reader
        with torch.no_grad():
            self._embedding = model.scoring_embedding  # which takes a pass over it with some scores

    @property
    def histories(self) -> Sequences:
        return self._reader.sequences

    @property
    def num_items(self) -> int:
        return self._model.num_items

    @property
    def device(self) -> torch.device:
        return self._reader.device

    def scores(self, users: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """As `Scorer` says.

        Raises:
            UserError: a score is NaN or infinite.
        """
        batch, rows = self._reader.histories(users)
        scores = self._model.last_states(batch) @ self._embedding.T
        if not all(torch.isfinite(extreme) for extreme in scores.aminmax()):  # NaN goes through
            raise UserError("the model's scores hold NaN or infinite values: training diverged")
        return rows.cpu().numpy(), scores

    @contextmanager
    def while_ranking(self) -> Iterator[None]:
        """The model is in eval mode, and then as it was."""
        was_training = self._model.training
        self._model.eval()
        try:
            yield
        finally:
            self._model.train(was_training)
