"""How a state scores an item: an inner product of two vectors, of which a row says what they are.

Shapes: T slots, D hidden size, N items.

Whatever scores (losses, ranking, recommending, the rating of the next item) multiplies the states
that the model gives with its `scoring_embedding`; both come through here.
"""

import math

from torch import Tensor


class DotProduct:
    """State and item as they are (paper, section III-D).

    Args:
        temperature: of the cosine.

    Attributes:
        reads_all: whether the vector of one item is made with those of all items at once.
    """

    reads_all = False

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def states(self, x: Tensor) -> Tensor:
        """[T, D] to [T, D]."""
        return x

    def items(self, embedding: Tensor) -> Tensor:
        """[N + 1, D] to [N + 1, D]; row 0, of zeros, stays zero."""
        return embedding


class Cosine(DotProduct):
    """cos(state, item) / temperature: how long either is counts nothing."""

    reads_all = True

    def states(self, x: Tensor) -> Tensor:
        """[T, D] to [T, D], of length 1."""
        return x / _lengths(x)

    def items(self, embedding: Tensor) -> Tensor:
        """[N + 1, D] to [N + 1, D], of length 1 / temperature."""
        return embedding / (self.temperature * _lengths(embedding))


def _lengths(x: Tensor) -> Tensor:
    """Of the rows of x [M, D]: [M, 1], infinity for a row of zeros.

    Over infinity such a row (padding's, or a state after hidden items alone) stays zero and has no
    gradient; over a small number its gradient would be huge.
    """
    lengths = x.norm(dim=1, keepdim=True)
    return lengths.masked_fill(lengths == 0, math.inf)
