"""What the model reads at each position, as one vector.

Shapes: T slots, D hidden size, N items.

    dropout(sqrt(D) (sum of the inputs' embeddings) + position)

(paper, section III-A; the factor is in the authors' code, modules.py, embedding).
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.model.dropout import Dropout
from sasrec.model.positions import PositionInInputs
from sasrec.model.sizes import Sizes

Input = Callable[[Sizes, int], nn.Module]  # of the sizes and N: a module of a batch, giving [T, D]


class ItemInput(nn.Module):
    """The item's own embedding. Row 0 is padding and stays zero."""

    def __init__(self, sizes: Sizes, num_items: int) -> None:
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
        x = sum(part(batch) for part in self.parts.values())
        return self.dropout(self.position(x * x.shape[1] ** 0.5, batch.layout))


def check_items(items: Tensor, num_items: int) -> None:
    """Say in words what a GPU would say by a device-side assert."""
    if not isinstance(items, Tensor):
        raise TypeError(f"items: expected a tensor of int64, got {type(items).__name__}")
    if items.dtype != torch.int64 or items.ndim != 1:
        raise TypeError(
            f"items: expected int64 of shape [T], got {items.dtype} of {list(items.shape)}"
        )
    if items.device.type == "cpu" and items.numel():
        low, high = items.aminmax()
        if low < 0 or high > num_items:
            raise ValueError(
                f"items: ids from {int(low)} to {int(high)}, expected 0 (padding) to {num_items}"
            )
