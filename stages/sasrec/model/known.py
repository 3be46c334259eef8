"""What a model is told of its data when it is made: levels of ratings, genres of items.

Shapes: N items, P the most genres that an item has.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.model.sizes import WIDEST

MOST_LEVELS = 20  # of ratings; where data has more values, levels are quantiles


@dataclass(frozen=True, eq=False)
class Known:
    """Nothing is known where nothing is given; what a model reads has to be.

    Attributes:
        rating_levels: the least rating of each level, rising. The first level has all below the
            second's least too.
        genres: names of the genres.
        item_genres: int32 [N + 1, P], numbers of each item's genres, from 1 in the order of
            `genres`; 0 fills up. None where there are no genres.
    """

    rating_levels: tuple[float, ...] = ()
    genres: tuple[str, ...] = ()
    item_genres: np.ndarray | None = None

    def of_items(self, count: int) -> Self:
        """The same for a catalogue of `count` items, which have the genres of some of these."""
        if self.item_genres is None:
            return self
        items = np.resize(self.item_genres[1:], (count, self.item_genres.shape[1]))
        return type(self)(self.rating_levels, self.genres, np.pad(items, ((1, 0), (0, 0))))

    def describe(self) -> dict[str, Any]:
        """What model.json tells of it: all but the items' own, which lie with the weights."""
        most = 0 if self.item_genres is None else self.item_genres.shape[1]
        return {
            "rating_levels": list(self.rating_levels),
            "genres": list(self.genres),
            "most_genres": most,
        }


class KnownDescription(BaseModel):
    """What `Known.describe` gave, as it stands in model.json."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rating_levels: list[FiniteFloat] = Field(default=[], max_length=MOST_LEVELS)
    genres: list[str] = []
    most_genres: int = Field(default=0, ge=0, le=WIDEST)

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        if sorted(set(self.rating_levels)) != self.rating_levels:
            raise ValueError(f"rating_levels = {self.rating_levels}: expected rising numbers")
        return self

    def blank(self, num_items: int) -> Known:
        """To build a model of the right shapes: its items have no genres, and take no memory."""
        nothing = np.broadcast_to(np.int32(0), (num_items + 1, self.most_genres))
        genres = nothing if self.genres else None
        return Known(tuple(self.rating_levels), tuple(self.genres), genres)


def known_of(sequences: Sequences, features: ItemFeatures | None) -> Known:
    """What the training `sequences` and the items' `features` tell: of what they hold."""
    ratings = sequences.columns.get("rating")
    levels = () if ratings is None else rating_levels(ratings)
    if features is None or not features.names:
        return Known(levels)
    return Known(levels, features.names, _padded(features))


def rating_levels(ratings: np.ndarray) -> tuple[float, ...]:
    """The least rating of each level, rising: each distinct one, or 20 quantiles of them.

    Args:
        ratings: float32 [interactions], NaN where not known.
    """
    known = ratings[~np.isnan(ratings)]
    values = np.unique(known)
    if len(values) > MOST_LEVELS:
        shares = np.arange(MOST_LEVELS) / MOST_LEVELS
        values = np.unique(np.quantile(known, shares, method="inverted_cdf"))
    return tuple(values.tolist())


def _padded(features: ItemFeatures) -> np.ndarray:
    """int32 [N + 1, P]: compressed sparse rows, filled up with 0; numbers from 1."""
    counts = np.diff(features.offsets)
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.arange(len(rows)) - features.offsets[rows]
    table = np.zeros((len(counts), max(1, counts.max())), np.int32)
    table[rows, columns] = features.genres + 1
    return table
