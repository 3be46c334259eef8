"""Similar items put before some of a sequence's (CoSeRec, as in substitute.py)."""

import torch
from torch import Tensor

from sasrec.batching.columns import PADDING
from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.rows import Rows
from sasrec.objectives.views.similar import SimilarItems


class Insert(Augmentation):
    """Puts an item before `share` of a sequence's, one at least; longer by that many.

    Its rating is not known, its time is that of the item which it is similar to.
    """

    widens = 2

    def __init__(self, share: float, similar: SimilarItems) -> None:
        super().__init__(share, similar)
        similar.find()

    def __call__(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """See `Augmentation`."""
        count = rows.share(self.share).clamp(min=1)
        chosen = rows.choose(count, generator)
        similar = rows.replace(chosen, self.similar.draw(rows.items, generator))
        # An item moves on by how many were put before it, and one goes right before it.
        places = rows.places + chosen.cumsum(1)
        width = self.widens * rows.width

        def merged(items: Tensor, put: Tensor, nothing: float = 0) -> Tensor:
            # What is of no sequence goes to one more column, which is cut off.
            new = items.new_full((len(items), width + 1), nothing)
            new = new.scatter(1, torch.where(rows.real, places, width), items)
            return new.scatter(1, torch.where(chosen, places - 1, width), put)[:, :width]

        columns = {
            name: merged(column, similar.columns[name], PADDING[name])
            for name, column in rows.columns.items()
        }
        return Rows(merged(rows.items, similar.items), rows.lengths + count, columns)

    @staticmethod
    def lengthens(share: float) -> float:
        """See `Augmentation`."""
        return 1 + share
