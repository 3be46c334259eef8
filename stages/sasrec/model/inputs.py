"""What the model reads at each position, as one vector.

Shapes: T slots, D hidden size, N items.

    dropout(sqrt(D) item + the other inputs + position)

(paper, section III-A; the factor is in the authors' code, modules.py, embedding). The factor is
the item's alone: the other inputs have few rows, as positions have, and begin as large.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.model.dropout import Dropout
from sasrec.model.known import Known
from sasrec.model.positions import PositionInInputs
from sasrec.model.sizes import Sizes


class Input(nn.Module, ABC):
    """What is added to the item's embedding: a row of the table `INPUTS`.

    Attributes:
        needs: what it reads of the data beside items: columns (COLUMNS in data/sequences.py), or
            "genres".
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, sizes: Sizes, num_items: int, known: Known) -> None:
        super().__init__()

    @abstractmethod
    def forward(self, batch: Batch, item: Tensor) -> Tensor:
        """[T, D], of the batch and the items' embeddings [T, D], which have their factor."""


class ItemInput(nn.Module):
    """The item's own embedding. Row 0 is padding and stays zero."""

    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, sizes: Sizes, num_items: int, known: Known) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_items + 1, sizes.hidden_size, padding_idx=0)

    def forward(self, batch: Batch) -> Tensor:
        """[T, D]."""
        check_items(batch.items, self.embedding.num_embeddings - 1)
        return self.embedding(batch.items)


class Inputs(nn.Module):
    """The sum of the inputs, by their names, with the position."""

    def __init__(
        self, parts: Mapping[str, nn.Module], position: PositionInInputs, dropout: Dropout
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.position = position
        self.dropout = dropout

    def forward(self, batch: Batch) -> Tensor:
        """[T, D]."""
        item = self.parts["item"](batch)
        x = item = item * item.shape[1] ** 0.5
        for name, part in self.parts.items():
            if name != "item":
                x = x + part(batch, item)
        return self.dropout(self.position(x, batch.layout))


def column_of(batch: Batch, name: str) -> Tensor:
    """A column of the batch, [T].

    Raises:
        ValueError: the batch has none of this name: who made it did not ask for it.
    """
    if name not in batch.columns:
        raise ValueError(f"the model reads each interaction's {name}, which the batch lacks")
    return batch.columns[name]


def rows_from_one(embedding: nn.Embedding, numbers: Tensor) -> Tensor:
    """The row n - 1 for each n of `numbers` (int64 [T]), and zeros for 0: [T, D]."""
    rows = embedding((numbers - 1).clamp(min=0))
    return torch.where(numbers[:, None] > 0, rows, 0)


def check_items(items: Tensor, num_items: int) -> None:
    """Say in words what a GPU would say by a device-side assert."""
    if not isinstance(items, Tensor):
        raise TypeError(f"items: expected a tensor of int64, got {type(items).__name__}")
    if items.dtype != torch.int64 or items.ndim != 1:
        raise TypeError(
            f"items: expected int64 of shape [T], got {items.dtype} of {list(items.shape)}"
        )
    # A graph that is being made has no values yet.
    if items.device.type == "cpu" and items.numel() and not torch.compiler.is_compiling():
        low, high = items.aminmax()
        if low < 0 or high > num_items:
            raise ValueError(
                f"items: ids from {int(low)} to {int(high)}, expected 0 (padding) to {num_items}"
            )
