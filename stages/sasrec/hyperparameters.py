"""The params section `model`, and the paper's values where it says `auto`.

Section IV-D of the paper: sequences of 200 and dropout 0.2 on MovieLens, 50 and 0.5 on Amazon and
Steam. Datasets that the paper does not know take the values for sparse data.
"""

from typing import Literal

from pydantic import Field, ValidationError

from sasrec.errors import UserError
from sasrec.model import ModelConfig

MOVIELENS = {"max_length": 200, "dropout": 0.2}
SPARSE = {"max_length": 50, "dropout": 0.5}


class ModelParams(ModelConfig):
    """`ModelConfig`, in which two keys may be `auto`: the paper's value for the dataset."""

    max_length: int | Literal["auto"] = Field()
    dropout: float | Literal["auto"] = Field()

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
            key = first["loc"][0]
            raise UserError(f"params.yaml: model.{key} = {values[key]!r}: {first['msg']}") from None
