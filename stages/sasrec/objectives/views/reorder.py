"""A contiguous part of a sequence shuffled (CL4SRec, section III-C; the share is beta there)."""

import torch

from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.rows import Rows


class Reorder(Augmentation):
    """Shuffles `share` of a sequence's items, side by side, from a random place on."""

    def __call__(self, rows: Rows, generator: torch.Generator | None) -> Rows:
        """See `Augmentation`."""
        start, stop = rows.window(rows.share(self.share), generator)
        places = rows.places.expand_as(rows.items)
        drawn = torch.rand(rows.items.shape, generator=generator, device=rows.items.device)
        # In the window any numbers from its start to its end, which sort between what is outside.
        inside = (start <= places) & (places < stop)
        keys = torch.where(inside, start + drawn * (stop - start), places.to(drawn.dtype))
        return rows.take(keys.argsort(dim=1, stable=True), rows.lengths)
