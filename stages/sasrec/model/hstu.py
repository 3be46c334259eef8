"""Pointwise attention with a gate: HSTU.

Shapes: B sequences, T slots, D hidden size, H heads, d = D / H, W the width of a row.

Zhai et al., "Actions Speak Louder than Words" (ICML 2024), equations 2 to 4. For each sequence,
with a query at its t-th position:

    Q, K, V, U = silu(x W + b), each with its own W and b
    A = sum over the keys s <= t of  silu(Q K^T / sqrt(d) + bias) V / t
    y = dropout(LN(A) * U) W + b

So a weight is no share of 1, and may be negative. Where we differ: the authors' code divides by the
longest length of a batch, we by the number of keys that the query sees, so that no result hangs on
padding or on other sequences. (LN takes either factor out again, but for its epsilon.) Scores are
divided by sqrt(d), as in the other attentions, and every linear layer has a bias, as all of ours.
Dropout is where the authors have it.

HSTU's block is this alone: `model.feed_forward: none`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from sasrec.batching.layout import Layout
from sasrec.model.attention import SoftmaxAttention
from sasrec.model.dropout import Dropout
from sasrec.model.norm import LayerNorm
from sasrec.model.positions import PositionInAttention
from sasrec.model.sizes import Sizes


class PointwiseAttention(SoftmaxAttention):
    """Its last layer is a part of it, whatever `projects` says."""

    def __init__(
        self, sizes: Sizes, position: PositionInAttention, dropout: Dropout, *, projects: bool
    ) -> None:
        super().__init__(sizes, position, dropout, projects=True)
        self.gate = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.norm = LayerNorm(sizes.hidden_size)

    def forward(self, x: Tensor, context: Tensor, layout: Layout) -> Tensor:
        """Queries and gates of `x`, keys and values of `context`, all [T, D]; returns [T, D]."""
        query, key = self.heads(silu(self.query(x))), self.heads(silu(self.key(context)))
        query, key = self.position.turn(query, key, layout)
        attended = self.results(query, key, silu(self.value(context)), layout)
        return self.projection(self.dropout(self.norm(attended) * silu(self.gate(x))))

    def of_rows(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """A of B rows: each [B, W, H, d] to [B, W, H, d]."""
        query, key, value = (part.transpose(1, 2) for part in (query, key, value))  # [B, H, W, d]
        scores = query @ key.mT / math.sqrt(query.shape[3])
        if bias is not None:
            scores = scores + bias
        seen = torch.ones_like(scores[0, 0]).tril()
        return (silu(scores) * (seen / seen.sum(1, keepdim=True)) @ value).transpose(1, 2)
