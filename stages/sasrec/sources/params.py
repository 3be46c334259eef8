"""The `data` section of params.yaml, read by the stages download and preprocess."""

import difflib
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from sasrec.base.params import Section
from sasrec.sources.datasets import DATASETS

Name = Annotated[str, Field(min_length=1)]
Size = Annotated[int, Field(ge=1, le=2**31 - 2)]  # ids are int32, and 0 is padding


class Columns(Section):
    """The column names of the user's own file; all but user and item may be absent (null).

    `order` names numbers that order rows of the same time, or instead of it.
    """

    user: Name
    item: Name
    timestamp: Name | None
    rating: Name | None
    order: str | list[str] | None

    @field_validator("order", mode="before")
    @classmethod
    def _names(cls, order: object) -> object:
        names = order if isinstance(order, list) else [order]
        right = bool(names) and all(isinstance(name, str) and name for name in names)
        if order is not None and not right:
            raise ValueError("should be null, a name, or a list of names")
        return order

    @property
    def orders(self) -> tuple[str, ...]:
        """The columns of `order`, the first before the next ones."""
        if self.order is None:
            return ()
        return (self.order,) if isinstance(self.order, str) else tuple(self.order)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [self.user, self.item, self.timestamp, self.rating, *self.orders]
        named = [name for name in names if name is not None]
        if len(set(named)) < len(named):
            raise ValueError(f"a column is named twice: {', '.join(map(repr, named))}")
        return self


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


class DataParams(Section):
    """Which interactions to get, and how to clean them."""

    name: str
    path: Name
    columns: Columns
    time_unit: Literal["s", "ms", "us", "ns"]
    quoted: bool
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
