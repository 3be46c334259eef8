"""The position-wise feed-forward layer, by its plain formula.

Shapes: T slots, D hidden size.

Equation 6 of the paper, with dropout twice, as the authors' code (modules.py, feedforward):

    g(x) = dropout(dropout(relu(x W1 + b1)) W2 + b2)
"""

from torch import Tensor, nn

from sasrec.model.noise import Noise


def feed_forward(x: Tensor, inner: nn.Linear, outer: nn.Linear, noise: Noise | None) -> Tensor:
    """g(x): [T, D] to [T, D]; `noise` is None outside training."""
    hidden = inner(x).relu()
    if noise is None:
        return outer(hidden)
    return noise.dropout(outer(noise.dropout(hidden)))
