"""The params section `objective`."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from sasrec.base.params import distinct
from sasrec.objectives.contrasts.contrast import ContrastSettings
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.objectives.losses import LossSettings
from sasrec.objectives.tables import LOSSES, NEGATIVES
from sasrec.objectives.views.settings import ViewSettings


class ObjectiveParams(LossSettings, ContrastSettings, ViewSettings):
    """Rows of the tables, and what they may ask for.

    Attributes:
        rating_weight: of the second task, the next item's rating; 0 for none.
        contrasts: each is a term of its own, all of `contrastive_weight`.
        augment_training: the chance that a sequence is learnt from by a view of it.
    """

    loss: Literal[*LOSSES]  # type: ignore[valid-type]
    negatives: Literal[*NEGATIVES]  # type: ignore[valid-type]
    rating_weight: float = Field(ge=0)
    contrasts: list[Literal[*CONTRASTS]]  # type: ignore[valid-type]
    augment_training: float = Field(ge=0, le=1)

    _each_contrast_once = field_validator("contrasts")(distinct)

    @model_validator(mode="after")
    def _views_have_augmentations(self) -> Self:
        if self.augmentations:
            return self
        if "views" in self.contrasts:
            raise ValueError("views among contrasts need a name in augmentations, which is empty")
        if self.augment_training:
            raise ValueError(
                f"augment_training = {self.augment_training} needs a name in augmentations, which "
                "is empty"
            )
        return self

    @model_validator(mode="after")
    def _sequences_end_where_partners_do(self) -> Self:
        if not self.augment_training:
            return self
        for name in self.contrasts:
            if CONTRASTS[name].needs_latest:
                raise ValueError(
                    f"{name} among contrasts goes by the last item of each user, where the views "
                    f"of augment_training = {self.augment_training} need not end: set that to 0.0, "
                    f"or take {name} out"
                )
        return self

    @model_validator(mode="after")
    def _the_loss_smooths(self) -> Self:
        if self.label_smoothing and not LOSSES[self.loss].smooths:
            able = ", ".join(name for name, loss in LOSSES.items() if loss.smooths)
            raise ValueError(
                f"label_smoothing = {self.label_smoothing} with loss = {self.loss}, which smooths "
                f"no labels: set it to 0.0, or choose {able}"
            )
        return self
