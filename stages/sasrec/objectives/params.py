"""The params section `objective`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from sasrec.objectives.contrasts.contrast import ContrastSettings
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.objectives.losses import LossSettings
from sasrec.objectives.tables import LOSSES, NEGATIVES
from sasrec.objectives.views.settings import ViewSettings


class ObjectiveParams(LossSettings, ContrastSettings, ViewSettings):
    """Rows of the tables, and what they may ask for.

    Attributes:
        rating_weight: of the second task, the next item's rating; 0 for none.
        augment_training: the chance that a sequence is learnt from by a view of it.
    """

    loss: Literal[*LOSSES]  # type: ignore[valid-type]
    negatives: Literal[*NEGATIVES]  # type: ignore[valid-type]
    rating_weight: float = Field(ge=0)
    contrast: Literal[*CONTRASTS]  # type: ignore[valid-type]
    augment_training: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _views_have_augmentations(self) -> Self:
        if self.augmentations:
            return self
        if self.contrast == "views":
            raise ValueError("contrast = views needs a name in augmentations, which is empty")
        if self.augment_training:
            raise ValueError(
                f"augment_training = {self.augment_training} needs a name in augmentations, which "
                "is empty"
            )
        return self
