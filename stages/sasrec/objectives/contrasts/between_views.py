"""Two augmentations of each sequence (CL4SRec, section III-B; CoSeRec)."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.contrast import Contrast, ContrastSettings
from sasrec.objectives.contrasts.materials import Materials
from sasrec.objectives.term import Encode
from sasrec.objectives.views.augmenting import Augmenter
from sasrec.objectives.views.laying_out import View


class BetweenViews(Contrast):
    """Both drawn on their own from the list of augmentations, of the items before the last target.

    A list of one makes both views by it.
    """

    name = "views"
    reads = passes = 2
    augments = True

    def __init__(self, settings: ContrastSettings, augmenter: Augmenter) -> None:
        super().__init__(settings)
        self.augmenter = augmenter

    @classmethod
    def of(cls, materials: Materials) -> Self:
        """See `Contrast`."""
        return cls(materials.params, materials.augmenter)

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> tuple[View, View]:
        """See `Term`."""
        one, other = (self.augmenter.view(batch.inputs, generator) for _ in range(2))
        return one, other

    def items_read(self, batch: TrainingBatch, prepared: tuple[View, View]) -> Sequence[Tensor]:
        """See `Term`."""
        return [view.batch.items for view in prepared]

    def pair(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        states: Tensor,
        prepared: tuple[View, View],
    ) -> tuple[Tensor, Tensor]:
        """See `Contrast`."""
        one, other = (self.represent_view(encode, view) for view in prepared)
        return one, other
