"""The position-wise feed-forward layer of the paper.

Shapes: T slots, D hidden size.

Equation 6, with dropout twice, as the authors' code (modules.py, feedforward):

    g(x) = dropout(dropout(relu(x W1 + b1)) W2 + b2)
"""

from torch import Tensor, nn

from sasrec.model.dropout import Dropout
from sasrec.model.sizes import Sizes


class ReluFeedForward(nn.Module):
    """Two linear layers, the inner one as wide as the states."""

    def __init__(self, sizes: Sizes, dropout: Dropout) -> None:
        super().__init__()
        self.inner = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.outer = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """g(x): [T, D] to [T, D]."""
        return self.dropout(self.outer(self.dropout(self.inner(x).relu())))
