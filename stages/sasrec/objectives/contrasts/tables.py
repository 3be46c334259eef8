"""What a sequence is contrasted with, beside the others of its batch: one row, one module."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from sasrec.data.sequences import Sequences
from sasrec.objectives.contrasts.between_views import BetweenViews
from sasrec.objectives.contrasts.by_dropout import ByDropout
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.contrasts.same_target import Partners, SameTarget
from sasrec.objectives.views.augmenting import Augmenter, build_augmenter


@dataclass(frozen=True)
class Materials:
    """What a contrast may be made of.

    Attributes:
        params: ObjectiveParams, which names rows of the table below.
        sequences: of training.
        max_length: the most positions that the model takes, or None.
    """

    params: Any
    sequences: Sequences
    num_items: int
    device: torch.device
    max_length: int | None

    @cached_property
    def augmenter(self) -> Augmenter:
        """Made once for all who want it: finding similar items takes a while."""
        return build_augmenter(
            *(self.params, self.sequences, self.num_items, self.device, self.max_length)
        )

    def partners(self) -> Partners:
        return Partners(self.sequences, self.num_items, self.device, self.max_length)


CONTRASTS: dict[str, Callable[[Materials], Contrast]] = {
    "views": lambda materials: BetweenViews(materials.params, materials.augmenter),
    "dropout": lambda materials: ByDropout(materials.params),
    "same_target": lambda materials: SameTarget(materials.params, materials.partners()),
}
