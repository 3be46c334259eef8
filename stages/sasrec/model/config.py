"""Everything that rebuilds a model but its weights."""

from typing import Literal

from pydantic import Field, field_validator

from sasrec.model.sizes import Sizes
from sasrec.model.tables import (
    ATTENTIONS,
    FEED_FORWARDS,
    INITIALISERS,
    INPUTS,
    POSITIONS,
    SCORES,
    VARIANTS,
)

# What may compute a model: faster functions where there are some for it, or PyTorch throughout.
Kernels = Literal["auto", "plain"]


class ModelConfig(Sizes):
    """The params section `model`, resolved: sizes, and a row of each table of parts.

    Attributes:
        item_dropout: the chance that an item of the input is hidden in training.
        temperature: of the scores, where they are cosines.
    """

    variant: Literal[*VARIANTS]  # type: ignore[valid-type]
    item_dropout: float = Field(ge=0, lt=1)
    inputs: list[Literal[*INPUTS]] = Field(min_length=1)  # type: ignore[valid-type]
    position: Literal[*POSITIONS]  # type: ignore[valid-type]
    attention: Literal[*ATTENTIONS]  # type: ignore[valid-type]
    feed_forward: Literal[*FEED_FORWARDS]  # type: ignore[valid-type]
    output_projection: bool
    tied_embedding: bool
    score: Literal[*SCORES]  # type: ignore[valid-type]
    temperature: float = Field(gt=0)
    residual: bool
    initialisation: Literal[*INITIALISERS]  # type: ignore[valid-type]

    @field_validator("inputs")
    @classmethod
    def _item_among_them(cls, inputs: list[str]) -> list[str]:
        if "item" not in inputs or len(set(inputs)) < len(inputs):
            raise ValueError("expected distinct names, item among them")
        return inputs
