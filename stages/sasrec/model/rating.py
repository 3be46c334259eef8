"""The rating that the user gave to each past item, as an input.

Shapes: T slots, D hidden size, R levels.
"""

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.model.inputs import Input, column_of, rows_from_one
from sasrec.model.known import Known
from sasrec.model.sizes import Sizes


class RatingInput(Input):
    """An embedding by level; a rating that is not known adds nothing."""

    needs = ("rating",)

    def __init__(self, sizes: Sizes, num_items: int, known: Known) -> None:
        super().__init__(sizes, num_items, known)
        assert known.rating_levels, "no ratings are known"
        self.embedding = nn.Embedding(len(known.rating_levels), sizes.hidden_size)
        least = torch.tensor(known.rating_levels, dtype=torch.float32)
        self.register_buffer("least", least, persistent=False)  # model.json has them

    def forward(self, batch: Batch, item: Tensor) -> Tensor:
        """[T, D]."""
        return rows_from_one(self.embedding, self.levels(column_of(batch, "rating")))

    def levels(self, ratings: Tensor) -> Tensor:
        """int64 [T] of ratings [T]: 1 to R by the least rating of each level, 0 for NaN."""
        levels = torch.bucketize(ratings.to(self.least.dtype), self.least, right=True)
        return torch.where(ratings.isnan(), 0, levels.clamp(min=1))
