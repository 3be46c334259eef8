"""Causal attention within the sequences of a batch, by its plain formula.

Shapes: B sequences, T slots in all, D hidden size, H heads, d = D / H.

The formula (paper, equations 2 and 3), for each sequence and head:

    A = dropout(softmax(Q K^T / sqrt(d) + mask)) V

where the mask hides later positions. Torch's fused kernel computes it over a row a sequence.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from sasrec.batching.layout import Layout
from sasrec.model.noise import Noise


class Projections(NamedTuple):
    """What makes queries, keys and values out of a layer's inputs, each [D, D] and [D]."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear


def attend(
    x: Tensor,
    context: Tensor,
    projections: Projections,
    layout: Layout,
    *,
    num_heads: int,
    noise: Noise | None,
) -> Tensor:
    """Causal attention with queries of `x`, keys and values of `context`; all [T, D].

    Args:
        num_heads: H, a divisor of D.
        noise: dropout of the attention weights; None outside training.
    """
    assert len(layout.real) == len(x) == len(context), (layout.lengths, x.shape, context.shape)
    inputs = (projections.query(x), projections.key(context), projections.value(context))
    attended = functional.scaled_dot_product_attention(
        *(layout.to_rows(part).unflatten(2, (num_heads, -1)).transpose(1, 2) for part in inputs),
        is_causal=True,
        dropout_p=noise.rate if noise else 0.0,
    )
    return layout.from_rows(attended.transpose(1, 2).flatten(2))
