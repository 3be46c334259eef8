"""The params section `objective`."""

from typing import Literal

from sasrec.objectives.losses import LossSettings
from sasrec.objectives.tables import LOSSES, NEGATIVES


class ObjectiveParams(LossSettings):
    """Rows of the tables, and what they may ask for."""

    loss: Literal[*LOSSES]  # type: ignore[valid-type]
    negatives: Literal[*NEGATIVES]  # type: ignore[valid-type]
