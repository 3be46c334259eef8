"""What an objective is a sum of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch, TrainingBatch
from sasrec.model.sasrec import SASRec

Encode = Callable[[Batch], Tensor]  # a batch's states [T, D]
Drawn = tuple[Any, ...]  # what a term draws for a batch


class Term(nn.Module, ABC):
    """Has a name and a weight, prepares something of a batch, and has a loss.

    Attributes:
        reads: how many items a position it looks up beside the inputs, about; None for all items.
    """

    name: str
    weight = 1.0
    reads: int | None = 0

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> Drawn:
        """What it draws for a batch, before the step: negatives, say, or views."""
        return ()

    def items_read(self, batch: TrainingBatch, prepared: Drawn) -> Sequence[Tensor]:
        """int64 each, of any shapes: the items beside the inputs that a step reads."""
        return ()

    @abstractmethod
    def forward(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, states: Tensor, prepared: Drawn
    ) -> Tensor:
        """Its loss over real positions, a scalar sum.

        Args:
            encode: the model, as it trains: for other views of the batch.
            states: [T, D], those of `batch`.
            prepared: what `prepare` gave.
        """
