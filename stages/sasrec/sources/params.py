"""The `data` section of params.yaml, read by the stages download and preprocess."""

import difflib
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from sasrec.base.params import Section
from sasrec.sources.datasets import DATASETS
from sasrec.sources.local_params import Columns, ItemFile, Text, TimeFormat

Name = Annotated[str, Field(min_length=1)]
Size = Annotated[int, Field(ge=1, le=2**31 - 2)]  # ids are int32, and 0 is padding


class Synthetic(Section):
    """The size of the generated data, and its seed."""

    num_users: Size
    num_items: Size
    num_interactions: Size
    seed: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _enough_interactions(self) -> Self:
        if self.num_interactions < self.num_users:
            raise ValueError(
                f"num_interactions = {self.num_interactions} is less than one for each of "
                f"num_users = {self.num_users}"
            )
        return self


class DataParams(Text):
    """Which interactions to get, and how to clean them."""

    name: str
    path: Name
    columns: Columns
    time_unit: Literal["s", "ms", "us", "ns"]
    time_format: TimeFormat
    missing_time: Literal["refuse", "drop"]
    missing_id: Literal["refuse", "drop"]
    items: ItemFile
    min_rating: float | None
    min_interactions: Annotated[int, Field(ge=1)]
    filter: Literal["once", "k-core"]
    synthetic: Synthetic

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DATASETS:
            close = difflib.get_close_matches(name, DATASETS, n=1)
            guess = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"unknown dataset, expected one of {', '.join(DATASETS)}{guess}")
        return name
