"""What contrasts may be made of."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from sasrec.data.sequences import Sequences
from sasrec.objectives.views.augmenting import Augmenter, build_augmenter


@dataclass(frozen=True)
class Materials:
    """Settings, data, and what several want.

    Attributes:
        params: ObjectiveParams, which name rows of the table `CONTRASTS`.
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
        """Made once, since finding similar items takes a while."""
        return build_augmenter(
            self.params, self.sequences, self.num_items, self.device, self.max_length
        )
