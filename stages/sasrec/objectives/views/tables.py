"""Ways to make a view of a sequence: one row, one module, one name in params.yaml."""

from sasrec.objectives.views.augmentation import Augmentation
from sasrec.objectives.views.crop import Crop
from sasrec.objectives.views.insert import Insert
from sasrec.objectives.views.mask import Mask
from sasrec.objectives.views.reorder import Reorder
from sasrec.objectives.views.substitute import Substitute

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "crop": Crop,  # these three are CL4SRec's
    "mask": Mask,
    "reorder": Reorder,
    "substitute": Substitute,  # these two are CoSeRec's
    "insert": Insert,
}
