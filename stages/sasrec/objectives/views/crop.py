"""A contiguous part of a sequence (CL4SRec: Xie et al., "Contrastive Learning for Sequential
Recommendation", ICDE 2022, section III-C; the share is eta there)."""

import torch

from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.rows import Rows


class Crop(Augmentation):
    """Keeps `share` of a sequence's items, one at least, from a random place on."""

    def __call__(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """See `Augmentation`."""
        count = rows.share(self.share).clamp(min=1)
        start, _ = rows.window(count, generator)
        return rows.take(start + rows.places, count)

    @staticmethod
    def lengthens(share: float) -> float:
        """See `Augmentation`."""
        return share
