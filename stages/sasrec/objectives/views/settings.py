"""What views may ask for, of the params section `objective`."""

from typing import Literal

from pydantic import Field, create_model, field_validator

from sasrec.base.params import Section, distinct
from sasrec.objectives.views.tables import AUGMENTATIONS

AugmentationShares = create_model(
    "AugmentationShares",
    __base__=Section,
    **{name: (float, Field(gt=0, le=1)) for name in AUGMENTATIONS},
)


class ViewSettings(Section):
    """How views of sequences are made.

    Attributes:
        augmentations: each view is by one of them, drawn for each sequence.
        augmentation_shares: by the name of an augmentation, the share of a sequence that it keeps
            or changes.
        similar_items: of how many most similar items one is drawn.
    """

    augmentations: list[Literal[*AUGMENTATIONS]]  # type: ignore[valid-type]
    augmentation_shares: AugmentationShares  # type: ignore[valid-type]
    similar_items: int = Field(ge=1)

    _each_augmentation_once = field_validator("augmentations")(distinct)
