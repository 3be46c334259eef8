"""A gated feed-forward layer.

Shapes: T slots, D hidden size.

SwiGLU (Shazeer 2020, "GLU variants improve Transformer", equation 6), with biases and dropout where
the paper's layer has them:

    g(x) = dropout(dropout(silu(x W1 + b1) * (x W3 + b3)) W2 + b2)
"""

from torch import Tensor, nn
from torch.nn.functional import silu

from sasrec.model.dropout import Dropout
from sasrec.model.sizes import Sizes


class SwiGLU(nn.Module):
    """Three linear layers, the inner two as wide as the states."""

    def __init__(self, sizes: Sizes, dropout: Dropout) -> None:
        super().__init__()
        self.inner = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.gate = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.outer = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """g(x): [T, D] to [T, D]."""
        return self.dropout(self.outer(self.dropout(silu(self.inner(x)) * self.gate(x))))
