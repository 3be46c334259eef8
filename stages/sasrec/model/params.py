"""The params section `model`, and the paper's values where it says `auto`.

Section IV-D of the paper: sequences of 200 and dropout 0.2 on MovieLens, 50 and 0.5 on Amazon and
Steam. Datasets that the paper does not know take the values for sparse data.
"""

from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from sasrec.base.errors import UserError
from sasrec.model.config import ModelConfig

MOVIELENS = {"max_length": 200, "dropout": 0.2}
SPARSE = {"max_length": 50, "dropout": 0.5}


class ModelParams(ModelConfig):
    """`ModelConfig`, in which two keys may be `auto`: the paper's value for the dataset."""

    max_length: int | Literal["auto"] = Field()
    dropout: float | Literal["auto"] = Field()

    @field_validator("max_length", "dropout", mode="before")
    @classmethod
    def _number_or_auto(cls, value: object, info: ValidationInfo) -> object:
        # Else pydantic complains of one member of the union, and names it as if it were a key.
        legal = (int,) if info.field_name == "max_length" else (int, float)
        if value != "auto" and type(value) not in legal:
            kind = "an integer" if info.field_name == "max_length" else "a number"
            raise ValueError(f"should be {kind} or 'auto'")
        return value

    def resolve(self, dataset: str) -> ModelConfig:
        """The configuration for the dataset of this name.

        Raises:
            UserError: max_length or dropout is out of range.
        """
        paper = MOVIELENS if dataset.startswith("ml-") else SPARSE
        values = self.model_dump()
        values |= {key: value for key, value in paper.items() if values[key] == "auto"}
        try:
            return ModelConfig.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key, message = first["loc"][0], first["msg"].removeprefix("Input ")
            raise UserError(f"params.yaml: model.{key} = {values[key]!r}: {message}") from None
