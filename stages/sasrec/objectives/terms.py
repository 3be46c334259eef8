"""What a term of an objective is.

Shapes: T slots, D hidden size.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch, TrainingBatch
from sasrec.model.sasrec import SASRec

Encode = Callable[[Batch], Tensor]  # a batch's states [T, D]


class Term(nn.Module):
    """One of the terms: has a name and a weight, prepares something of a batch, and has a loss.

    Its parameters, if it has some, are learnt with the model's, and not kept: ranking needs none.

    Attributes:
        reads: how many items a position it looks up beside the inputs; None for all items.
    """

    name: str
    weight = 1.0
    reads: int | None = 0

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> Tensor | None:
        """What it draws for a batch, before the step: negatives, say."""
        return None

    def items_read(self, batch: TrainingBatch, prepared: Tensor | None) -> Sequence[Tensor]:
        """int64 each, of any shapes: the items beside the inputs that a step reads."""
        return ()

    def forward(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        states: Tensor,
        prepared: Tensor | None,
    ) -> Tensor:
        """Its loss over real positions, a scalar sum.

        Args:
            encode: the model, as it trains: for other views of the batch.
            states: [T, D], those of `batch`.
            prepared: what `prepare` gave.
        """
        raise NotImplementedError
