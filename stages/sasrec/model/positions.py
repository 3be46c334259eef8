"""What the model knows of positions: a vector added to its inputs, or a part of attention.

Shapes: T slots, D hidden size, H heads, d = D / H, W the width of a row, n the maximal length.

Positions count back from a sequence's latest one, which is 0. Differences of them are all that
rotary and relative positions look at.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.model.sizes import Sizes


class PositionInInputs(nn.Module):
    """Nothing is added; a row of `POSITIONS` may add something."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        """[T, D] to [T, D]."""
        return x


class PositionInAttention(nn.Module):
    """Attention knows of order by its mask alone; a row of `POSITIONS` may tell it more."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()

    def turn(self, query: Tensor, key: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """Queries and keys [T, H, d], to the same shapes."""
        return query, key

    def bias(self, width: int) -> Tensor | None:
        """What is added to the scores of W queries (rows) and W keys: [H, W, W], None for 0."""
        return None


class LearnedPosition(PositionInInputs):
    """A vector by position (paper, section III-A)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(sizes)
        self.embedding = nn.Embedding(sizes.max_length, sizes.hidden_size)

    def forward(self, x: Tensor, layout: Layout) -> Tensor:
        return x + self.embedding(layout.positions)


class Positions(NamedTuple):
    """A row of the table `POSITIONS`: what is added to the inputs, and what attention is told."""

    in_inputs: Callable[[Sizes], PositionInInputs]
    in_attention: Callable[[Sizes], PositionInAttention]
