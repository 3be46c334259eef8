"""What every part of the model may ask about: sizes, and dropout's rate."""

from typing import Self

from pydantic import Field, model_validator

from sasrec.base.params import Section

# No machine holds more, and torch can count the weights.
MOST = 1 << 40
WIDEST = 1 << 20


class Sizes(Section):
    """Sizes of a model: D, H and n in the paper."""

    hidden_size: int = Field(ge=1, le=WIDEST)
    num_blocks: int = Field(ge=0)
    num_heads: int = Field(ge=1)
    max_length: int = Field(ge=1, le=MOST)
    dropout: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size = {self.hidden_size} is not divisible by num_heads = {self.num_heads}"
            )
        return self
