"""What a model learns: a sum of terms, of which the trainer knows nothing.

Shapes: T slots, D hidden size, N items, K negatives a slot.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch, TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import Loss
from sasrec.objectives.negatives import Negatives
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.tables import LOSSES, NEGATIVES

Encode = Callable[[Batch], Tensor]  # a batch's states [T, D]
Drawn = tuple[Any, ...]  # what a term draws for a batch


class Term(nn.Module):
    """One of the terms: has a name and a weight, prepares something of a batch, and has a loss.

    Attributes:
        reads: how many items a position it looks up beside the inputs; None for all items.
    """

    name: str
    weight = 1.0
    reads: int | None = 0

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> Drawn:
        """What it draws for a batch, before the step: negatives, say."""
        return ()

    def items_read(self, batch: TrainingBatch, prepared: Drawn) -> Sequence[Tensor]:
        """int64 each, of any shapes: the items beside the inputs that a step reads."""
        return ()

    def forward(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        states: Tensor,
        prepared: Drawn,
    ) -> Tensor:
        """Its loss over real positions, a scalar sum.

        Args:
            encode: the model, as it trains: for other views of the batch.
            states: [T, D], those of `batch`.
            prepared: what `prepare` gave.
        """
        raise NotImplementedError


class NextItem(Term):
    """The loss of each position's next item."""

    name = "next_item"

    def __init__(self, loss: Loss, negatives: Negatives | None) -> None:
        super().__init__()
        self.loss = loss
        self.negatives = negatives
        self.reads = 1 + loss.num_negatives if loss.num_negatives else None

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> Drawn:
        """What the loss asks for: negatives [T, K], their logarithmic odds [T, K]."""
        if self.negatives is None:
            return ()
        drawn = self.negatives.draw(batch, self.loss.num_negatives, generator)
        return (drawn, self.negatives.log_odds(batch, drawn)) if self.loss.corrects else (drawn,)

    def items_read(self, batch: TrainingBatch, prepared: Drawn) -> Sequence[Tensor]:
        """Targets and negatives."""
        return batch.targets, *prepared[:1]

    def forward(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        states: Tensor,
        prepared: Drawn,
    ) -> Tensor:
        """See `Term`."""
        return self.loss(states, model.scoring_embedding, batch.targets, *prepared)


class Objective(nn.Module):
    """The weighted sum of terms, the next item's first."""

    def __init__(self, next_item: NextItem, *others: Term) -> None:
        super().__init__()
        self.terms = nn.ModuleList([next_item, *others])

    @property
    def loss(self) -> Loss:
        """Of the next item: what validation reports."""
        return self.terms[0].loss

    @property
    def reads(self) -> int | None:
        """How many items a position are looked up beside the inputs; None for all items."""
        counts = [term.reads for term in self.terms]
        return None if None in counts else sum(counts)

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> tuple[Drawn, ...]:
        """What each term draws for a batch."""
        return tuple(term.prepare(batch, generator) for term in self.terms)

    def items_read(self, batch: TrainingBatch, prepared: tuple[Drawn, ...]) -> Tensor:
        """int64 [M], all items that a step looks up; repeats allowed."""
        read = [batch.inputs.items]
        for term, drawn in zip(self.terms, prepared, strict=True):
            read += term.items_read(batch, drawn)
        return torch.cat([items.reshape(-1) for items in read])

    def forward(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        prepared: tuple[Drawn, ...],
    ) -> Tensor:
        """The sum over the batch's real positions."""
        states = encode(batch.inputs)
        total = states.new_zeros(())
        for term, drawn in zip(self.terms, prepared, strict=True):
            total = total + term.weight * term(model, encode, batch, states, drawn)
        return total


def build_objective(
    params: ObjectiveParams, sequences: Sequences, num_items: int, device: torch.device
) -> Objective:
    """The objective that `params` name, for the training `sequences`."""
    loss = LOSSES[params.loss](params, num_items)
    negatives = None
    if loss.num_negatives:
        negatives = NEGATIVES[params.negatives](sequences, num_items, device)
    return Objective(NextItem(loss, negatives))
