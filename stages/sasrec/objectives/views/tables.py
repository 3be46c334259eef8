"""Ways to make a view of a sequence: one row, one module, one name in params.yaml."""

from collections.abc import Callable

from sasrec.objectives.views.crop import Crop
from sasrec.objectives.views.insert import Insert
from sasrec.objectives.views.mask import Mask
from sasrec.objectives.views.reorder import Reorder
from sasrec.objectives.views.rows import Augmentation
from sasrec.objectives.views.similar import SimilarItems
from sasrec.objectives.views.substitute import Substitute

# Of the share of a sequence that is kept, hidden, shuffled, ..., and of what items are similar.
AUGMENTATIONS: dict[str, Callable[[float, SimilarItems], Augmentation]] = {
    "crop": Crop,  # these three are CL4SRec's
    "mask": Mask,
    "reorder": Reorder,
    "substitute": Substitute,  # these two are CoSeRec's
    "insert": Insert,
}
