"""Genres of items: as an input, added or through a gate, and as attributes for attention.

Shapes: T slots, D hidden size, N items, G genres, P the most genres that an item has.
"""

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.model.inputs import Input
from sasrec.model.known import Known
from sasrec.model.sizes import Sizes


class ItemGenres(Input):
    """The mean of the embeddings of an item's genres; zero for an item without any."""

    needs: ClassVar[tuple[str, ...]] = ("genres",)

    def __init__(self, sizes: Sizes, num_items: int, known: Known) -> None:
        super().__init__(sizes, num_items, known)
        assert known.item_genres is not None, "no genres are known"
        assert len(known.item_genres) == num_items + 1, (known.item_genres.shape, num_items)
        self.embedding = nn.Embedding(len(known.genres), sizes.hidden_size)
        table = torch.zeros(known.item_genres.shape, dtype=torch.int32)
        if not table.is_meta:
            table.copy_(torch.from_numpy(np.array(known.item_genres)))
        self.register_buffer("table", table)  # [N + 1, P], numbers from 1

    def of(self, items: Tensor) -> Tensor:
        """[T, D] of items int64 [T]."""
        weight = self.embedding.weight
        numbers = self.table[items].long()  # [T, P]
        has = weight.new_zeros(items.shape[0], 1 + len(weight)).scatter_(1, numbers, 1.0)[:, 1:]
        return has / has.sum(1, keepdim=True).clamp(min=1) @ weight

    def forward(self, batch: Batch, item: Tensor) -> Tensor:
        """[T, D], added to the item's embedding."""
        return self.of(batch.items)


class GatedGenres(ItemGenres):
    """g item + (1 - g) genres in the place of the item's embedding, g = sigmoid(W [item; genres]).

    With a bias, as every linear layer here.
    """

    def __init__(self, sizes: Sizes, num_items: int, known: Known) -> None:
        super().__init__(sizes, num_items, known)
        self.gate = nn.Linear(2 * sizes.hidden_size, sizes.hidden_size)

    def forward(self, batch: Batch, item: Tensor) -> Tensor:
        """[T, D]: what makes the mixture of the item's embedding."""
        genres = self.of(batch.items)
        gate = self.gate(torch.cat([item, genres], 1)).sigmoid()
        return (1 - gate) * (genres - item)
