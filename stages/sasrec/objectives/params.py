"""The params section `objective`."""

from typing import Literal

from pydantic import Field

from sasrec.objectives.losses import LossSettings
from sasrec.objectives.tables import LOSSES, NEGATIVES


class ObjectiveParams(LossSettings):
    """Rows of the tables, and what they may ask for.

    Attributes:
        rating_weight: of the second task, the next item's rating; 0 for none.
    """

    loss: Literal[*LOSSES]  # type: ignore[valid-type]
    negatives: Literal[*NEGATIVES]  # type: ignore[valid-type]
    rating_weight: float = Field(ge=0)
