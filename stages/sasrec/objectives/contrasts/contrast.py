"""A contrastive term: two representations of each sequence, and InfoNCE over the batch.

Shapes: B sequences, T slots, D hidden size.

The papers add lambda times a mean over sequences to a mean over positions. A term's loss is a sum
over positions, which the trainer divides by their number: so the mean is multiplied by that of the
batch's targets, and `contrastive_weight` is lambda. Of several processes each contrasts its own
share of a batch, with fewer negatives.
"""

from abc import abstractmethod
from typing import Literal, Self

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sasrec.base.params import Section
from sasrec.batching.batches import TrainingBatch
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.materials import Materials
from sasrec.objectives.contrasts.representations import REPRESENTATIONS
from sasrec.objectives.info_nce import info_nce
from sasrec.objectives.term import Drawn, Encode, Term
from sasrec.objectives.views.laying_out import View


class ContrastSettings(Section):
    """What contrasts ask for.

    Attributes:
        contrastive_weight: lambda.
        similarity: of two representations; the cosine divides both by their lengths before.
    """

    contrastive_weight: float = Field(gt=0)
    temperature: float = Field(gt=0)
    similarity: Literal["dot", "cosine"]
    representation: Literal[*REPRESENTATIONS]  # type: ignore[valid-type]


class Contrast(Term):
    """A row of the table `CONTRASTS` says by `pair` which two representations there are.

    Attributes:
        passes: how many sequences it encodes for each of the batch, beside that one.
        augments: whether they are views by augmentations.
        rows: how many int64 arrays [B, W] it holds at once, W the longest sequence, where it lays
            other sequences out as rows; 0 where it does not.
        needs_latest: whether it takes a sequence to end in its user's last item.
        needs_dropout: whether its representations differ by what the model drops alone.
    """

    passes = 1
    augments = False
    rows = 0
    needs_latest = False
    needs_dropout = False

    def __init__(self, settings: ContrastSettings) -> None:
        super().__init__()
        self.weight = settings.contrastive_weight
        self.settings = settings

    @classmethod
    def of(cls, materials: Materials) -> Self:
        """Made of what it wants of them."""
        return cls(materials.params)

    @abstractmethod
    def pair(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, states: Tensor, prepared: Drawn
    ) -> tuple[Tensor, Tensor]:
        """[B, D] each, in the order of the batch's sequences; arguments as `Term.forward`."""

    def alike(self, batch: TrainingBatch) -> Tensor | None:
        """As `info_nce` wants it."""
        return None

    def forward(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, states: Tensor, prepared: Drawn
    ) -> Tensor:
        """See `Term`."""
        one, other = self.pair(model, encode, batch, states, prepared)
        if self.settings.similarity == "cosine":
            one, other = functional.normalize(one), functional.normalize(other)
        loss = info_nce(one, other, self.settings.temperature, self.alike(batch))
        return loss * (batch.targets > 0).sum()

    def represent(self, states: Tensor, batch: TrainingBatch) -> Tensor:
        """The batch's sequences, by its states [T, D]."""
        return REPRESENTATIONS[self.settings.representation](states, batch.inputs.layout)

    def represent_view(self, encode: Encode, view: View) -> Tensor:
        """The same of another view."""
        represent = REPRESENTATIONS[self.settings.representation]
        return represent(encode(view.batch), view.batch.layout)[view.order]
