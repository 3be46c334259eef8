"""Attention whose weights know attributes of items, and whose values do not.

Shapes: T slots, D hidden size, H heads, d = D / H.

"Decoupled Side Information Fusion" (DIF-SR, Xie et al., SIGIR 2022, section 3.3), with one
attribute, the genres, fused by a sum. The score of a query and a key is

    (q k + q' k') / sqrt(d)

with q', k' made of the attributes, which no block changes; values are made of the items alone.
Positions are a part of their own here, as in every attention (positions.py).
"""

import math

import torch
from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.model.attention import SoftmaxAttention
from sasrec.model.dropout import Dropout
from sasrec.model.positions import PositionInAttention
from sasrec.model.sizes import Sizes


class DecoupledAttention(SoftmaxAttention):
    """The paper's with a second pair of query and key."""

    reads_attributes = True

    def __init__(
        self, sizes: Sizes, position: PositionInAttention, dropout: Dropout, *, projects: bool
    ) -> None:
        super().__init__(sizes, position, dropout, projects=projects)
        self.attribute_query = nn.Linear(sizes.hidden_size, sizes.hidden_size)
        self.attribute_key = nn.Linear(sizes.hidden_size, sizes.hidden_size)

    def forward(self, x: Tensor, context: Tensor, layout: Layout, attributes: Tensor) -> Tensor:
        """Queries of `x`, keys and values of `context`, all [T, D], as `attributes`; [T, D]."""
        assert len(attributes) == len(x), (attributes.shape, x.shape)
        query, key = self.query_and_key(x, context, layout)
        other_query = self.heads(self.attribute_query(attributes))
        other_key = self.heads(self.attribute_key(attributes))
        # One inner product of 2 d units is the sum of two; it is then divided by sqrt(2 d).
        query = math.sqrt(2) * torch.cat((query, other_query), 2)
        key = torch.cat((key, other_key), 2)
        return self.projection(self.results(query, key, self.value(context), layout))
