"""What a model learns: a sum of terms, of which the trainer knows nothing.

Shapes: T slots, D hidden size, N items, K negatives a slot.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import Loss
from sasrec.objectives.negatives import Negatives
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.rating import RatingPrediction
from sasrec.objectives.tables import LOSSES, NEGATIVES
from sasrec.objectives.term import Encode, Term


class NextItem(Term):
    """The loss of each position's next item."""

    name = "next_item"

    def __init__(self, loss: Loss, negatives: Negatives | None) -> None:
        super().__init__()
        self.loss = loss
        self.negatives = negatives
        self.reads = 1 + loss.num_negatives if loss.num_negatives else None

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> Tensor | None:
        """int64 [T, K], negatives."""
        if self.negatives is None:
            return None
        return self.negatives.draw(batch, self.loss.num_negatives, generator)

    def items_read(self, batch: TrainingBatch, prepared: Tensor | None) -> Sequence[Tensor]:
        """Targets and negatives."""
        return (batch.targets,) if prepared is None else (batch.targets, prepared)

    def forward(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        states: Tensor,
        prepared: Tensor | None,
    ) -> Tensor:
        """See `Term`."""
        return self.loss(states, model.scoring_embedding, batch.targets, prepared)


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

    def prepare(
        self, batch: TrainingBatch, generator: torch.Generator
    ) -> tuple[Tensor | None, ...]:
        """What each term draws for a batch."""
        return tuple(term.prepare(batch, generator) for term in self.terms)

    def items_read(self, batch: TrainingBatch, prepared: tuple[Tensor | None, ...]) -> Tensor:
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
        prepared: tuple[Tensor | None, ...],
    ) -> Tensor:
        """The sum over the batch's real positions."""
        states = encode(batch.inputs)
        total = states.new_zeros(())
        for term, drawn in zip(self.terms, prepared, strict=True):
            total = total + term.weight * term(model, encode, batch, states, drawn)
        return total


def build_objective(
    params: ObjectiveParams,
    sequences: Sequences,
    num_items: int,
    device: torch.device,
    *,
    hidden_size: int = 0,
) -> Objective:
    """The objective that `params` name, for the training `sequences`.

    Args:
        hidden_size: of the model, for terms with parameters.
    """
    loss = LOSSES[params.loss](params, num_items)
    negatives = None
    if loss.num_negatives:
        negatives = NEGATIVES[params.negatives](sequences, num_items, device)
    others: list[Term] = []
    if params.rating_weight:
        others.append(RatingPrediction(params.rating_weight, hidden_size, sequences))
    return Objective(NextItem(loss, negatives), *others).to(device)
