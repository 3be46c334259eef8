"""What a model learns: a sum of terms, of which the trainer knows nothing.

Shapes: T slots, D hidden size, N items, K negatives a slot.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.materials import Materials
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.objectives.losses import Loss
from sasrec.objectives.negatives import Negatives
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.rating import RatingPrediction
from sasrec.objectives.tables import LOSSES, NEGATIVES
from sasrec.objectives.term import Drawn, Encode, Term
from sasrec.objectives.views.augmenting import AugmentedTraining


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
        negatives = self.negatives.of(batch)
        drawn = negatives.draw(self.loss.num_negatives, generator)
        return (drawn, negatives.log_odds(drawn)) if self.loss.corrects else (drawn,)

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


class Prepared(NamedTuple):
    """What is drawn for a batch before its step.

    Attributes:
        batch: what is learnt from: the batch, or one with views in the place of some sequences.
        drawn: by each term, for `batch`.
    """

    batch: TrainingBatch
    drawn: tuple[Drawn, ...]


class Objective(nn.Module):
    """The weighted sum of terms, the next item's first.

    Args:
        augmented: puts views in the place of sequences, for all terms; None where none are.
    """

    def __init__(
        self, next_item: NextItem, *others: Term, augmented: AugmentedTraining | None = None
    ) -> None:
        super().__init__()
        self.terms = nn.ModuleList([next_item, *others])
        self.augmented = augmented

    @property
    def loss(self) -> Loss:
        """Of the next item: what validation reports."""
        return self.terms[0].loss

    @property
    def reads(self) -> int | None:
        """How many items a position are looked up beside the inputs; None for all items."""
        counts = [term.reads for term in self.terms]
        return None if None in counts else sum(counts)

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> Prepared:
        """What is learnt from, and what each term draws for it."""
        if self.augmented:
            batch = self.augmented.replace(batch, generator)
        return Prepared(batch, tuple(term.prepare(batch, generator) for term in self.terms))

    def items_read(self, batch: TrainingBatch, prepared: Prepared) -> Tensor:
        """int64 [M], all items that a step looks up; repeats allowed."""
        read = [prepared.batch.inputs.items]
        for term, drawn in zip(self.terms, prepared.drawn, strict=True):
            read += term.items_read(prepared.batch, drawn)
        return torch.cat([items.reshape(-1) for items in read])

    def forward(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, prepared: Prepared
    ) -> Tensor:
        """The sum over the batch's real positions.

        Where views have fewer or more of them, as if they had as many: so a loss a position stays
        what it says, whatever the views' lengths.
        """
        learnt = prepared.batch
        states = encode(learnt.inputs)
        total = states.new_zeros(())
        for term, drawn in zip(self.terms, prepared.drawn, strict=True):
            total = total + term.weight * term(model, encode, learnt, states, drawn)
        if self.augmented:
            total = total * (_positions(batch) / _positions(learnt))
        return total


def build_objective(
    params: ObjectiveParams,
    sequences: Sequences,
    num_items: int,
    device: torch.device,
    *,
    hidden_size: int = 0,
    max_length: int | None = None,
) -> Objective:
    """The objective that `params` name, for the training `sequences`.

    Args:
        hidden_size: of the model, for terms with parameters.
        max_length: the most positions that the model takes; without it no view of a sequence is
            longer than the longest sequence of its batch.
    """
    loss = LOSSES[params.loss](params, num_items)
    negatives = None
    if loss.num_negatives:
        negatives = NEGATIVES[params.negatives](sequences, num_items, device)
    materials = Materials(params, sequences, num_items, device, max_length)
    terms: list[Term] = [CONTRASTS[name].of(materials) for name in params.contrasts]
    if params.rating_weight:
        terms.append(RatingPrediction(params.rating_weight, hidden_size, sequences))
    augmented = None
    if params.augment_training:
        augmented = AugmentedTraining(materials.augmenter, params.augment_training)
    return Objective(NextItem(loss, negatives), *terms, augmented=augmented).to(device)


def _positions(batch: TrainingBatch) -> Tensor:
    """How many there are to learn from, at least 1."""
    return (batch.targets > 0).sum().clamp(min=1)
