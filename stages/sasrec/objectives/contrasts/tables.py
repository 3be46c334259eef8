"""What a sequence is contrasted with, beside the others of its batch: one row, one module."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from sasrec.data.sequences import Sequences
from sasrec.objectives.contrasts.between_views import BetweenViews
from sasrec.objectives.contrasts.by_dropout import ByDropout
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.contrasts.same_target import Partners, SameTarget
from sasrec.objectives.views.augmenting import build_augmenter


class Materials(NamedTuple):
    """What a contrast may be made of: training sequences, their number of items, and so on."""

    sequences: Sequences
    num_items: int
    device: torch.device
    max_length: int | None


# Of ObjectiveParams and materials.
CONTRASTS: dict[str, Callable[[Any, Materials], Contrast] | None] = {
    "none": None,
    "views": lambda params, materials: BetweenViews(params, build_augmenter(params, *materials)),
    "dropout": lambda params, materials: ByDropout(params),
    "same_target": lambda params, materials: SameTarget(params, Partners(*materials)),
}
