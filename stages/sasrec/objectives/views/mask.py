"""Some items of a sequence hidden (CL4SRec, section III-C; the share is gamma there).

There is no item for a mask in the vocabulary: a hidden item is item 0 at a real position, whose
embedding is zero and stays so. What is left of it is its position. (CL4SRec learns a vector for
the mask; CoSeRec's code has item 0, as here.) Layouts, attention and losses go by `layout.real` and
the targets, so a hidden item is attended to like any other; as a target it counts nothing.
"""

import torch

from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.rows import Rows


class Mask(Augmentation):
    """Hides `share` of a sequence's items, each as likely as another."""

    def __call__(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """See `Augmentation`."""
        hidden = rows.choose(rows.share(self.share), generator)
        return rows.replace(hidden, torch.zeros_like(rows.items))
