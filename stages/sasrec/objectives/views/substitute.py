"""Some items of a sequence replaced by similar ones (CoSeRec: Liu et al., "Contrastive
Self-supervised Sequential Recommendation with Robust Augmentation", 2021)."""

import torch

from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.rows import Rows
from sasrec.objectives.views.similar import SimilarItems


class Substitute(Augmentation):
    """Replaces `share` of a sequence's items, one at least."""

    def __init__(self, share: float, similar: SimilarItems) -> None:
        super().__init__(share, similar)
        similar.find()

    def __call__(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """See `Augmentation`."""
        chosen = rows.choose(rows.share(self.share).clamp(min=1), generator)
        return rows.replace(chosen, self.similar.draw(rows.items, generator))
