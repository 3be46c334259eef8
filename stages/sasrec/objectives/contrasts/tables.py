"""What a sequence is contrasted with, beside the others of its batch: one row, one module."""

from sasrec.objectives.contrasts.between_views import BetweenViews
from sasrec.objectives.contrasts.by_dropout import ByDropout
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.contrasts.same_target import SameTarget

CONTRASTS: dict[str, type[Contrast]] = {
    "views": BetweenViews,  # CL4SRec's, CoSeRec's
    "dropout": ByDropout,  # these two are DuoRec's
    "same_target": SameTarget,
}
