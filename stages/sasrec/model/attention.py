"""Causal self-attention within the sequences of a batch.

Shapes: B sequences, T slots in all, D hidden size, H heads, d = D / H, W the width of a row.

The formula (paper, equations 2 and 3), for each sequence and head:

    A = dropout(softmax(Q K^T / sqrt(d) + mask)) V

where the mask hides later positions. What attention knows of positions is a part of its own
(positions.py): it may turn queries and keys, and add a bias to the scores.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from sasrec.batching.layout import Layout
from sasrec.model.dropout import Dropout
from sasrec.model.positions import PositionInAttention
from sasrec.model.sizes import Sizes


class SoftmaxAttention(nn.Module):
    """The paper's; with H > 1 that of Vaswani et al. 2017.

    Args:
        position: what it knows of positions.
        dropout: of the attention weights.
        projects: a linear layer on the heads' results: the authors have none, PyTorch ports do.

    Attributes:
        reads_attributes: whether `forward` takes the items' attributes [T, D] as a last argument.
    """

    reads_attributes = False

    def __init__(
        self, sizes: Sizes, position: PositionInAttention, dropout: Dropout, *, projects: bool
    ) -> None:
        super().__init__()
        size = sizes.hidden_size
        self.num_heads = sizes.num_heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.projection = nn.Linear(size, size) if projects else nn.Identity()
        self.position = position
        self.dropout = dropout

    def forward(self, x: Tensor, context: Tensor, layout: Layout) -> Tensor:
        """Queries of `x`, keys and values of `context`, all [T, D]; returns [T, D]."""
        return self.projection(self.attended(x, context, layout))

    def attended(self, x: Tensor, context: Tensor, layout: Layout) -> Tensor:
        """The heads' results side by side, [T, D]."""
        query, key = self.query_and_key(x, context, layout)
        return self.results(query, key, self.value(context), layout)

    def query_and_key(self, x: Tensor, context: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
        """[T, H, d] each, turned by their positions."""
        assert len(layout.real) == len(x) == len(context), (layout.lengths, x.shape, context.shape)
        query, key = self.heads(self.query(x)), self.heads(self.key(context))
        return self.position.turn(query, key, layout)

    def results(self, query: Tensor, key: Tensor, value: Tensor, layout: Layout) -> Tensor:
        """Of queries and keys [T, H, ...] and values [T, D]: [T, D]."""
        parts = (query, key, self.heads(value))
        rows = zip(*(layout.to_rows(part) for part in parts), strict=True)
        results = [self.of_rows(*row, self.position.bias(row[0].shape[1])) for row in rows]
        return layout.from_rows(results).flatten(1)

    def of_rows(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> Tensor:
        """The formula for B rows, see `attend`."""
        return attend(query, key, value, bias, self.dropout)

    def heads(self, x: Tensor) -> Tensor:
        """[T, D] as [T, H, d]."""
        return x.unflatten(1, (self.num_heads, -1))


class GatedAttention(SoftmaxAttention):
    """Each unit of the heads' results times a gate, sigmoid(x W + b), that its own query opens.

    As after the heads in "Gated Attention for Large Language Models" (Qiu et al., NeurIPS 2025).
    """

    def __init__(
        self, sizes: Sizes, position: PositionInAttention, dropout: Dropout, *, projects: bool
    ) -> None:
        super().__init__(sizes, position, dropout, projects=projects)
        self.gate = nn.Linear(sizes.hidden_size, sizes.hidden_size)

    def forward(self, x: Tensor, context: Tensor, layout: Layout) -> Tensor:
        """Queries of `x`, keys and values of `context`, all [T, D]; returns [T, D]."""
        return self.projection(self.attended(x, context, layout) * self.gate(x).sigmoid())


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, dropout: Dropout
) -> Tensor:
    """The formula for B rows: each [B, W, H, d] to [B, W, H, d].

    Queries and keys may be of another size than values; it is their own that scores are divided by.

    Args:
        bias: [H, W, W], added to the scores; None for 0.
    """
    query, key, value = (part.transpose(1, 2) for part in (query, key, value))  # [B, H, W, d]
    heads, width = query.shape[1:3]
    later = torch.ones(width, width, dtype=torch.bool, device=query.device).triu(1)
    mask = query.new_zeros(width, width).masked_fill(later, -torch.inf)
    if query.device.type == "cpu" and not torch.compiler.is_compiling():
        # Torch's own call draws dropout by floats, which takes as long as all the rest.
        added = mask if bias is None else (mask + bias).repeat(len(query), 1, 1)
        query, key, value = (part.flatten(0, 1) for part in (query, key, value))  # [B H, W, d]
        scores = torch.baddbmm(added, query, key.mT, alpha=1 / math.sqrt(query.shape[2]))
        attended = (dropout(scores.softmax(2)) @ value).unflatten(0, (-1, heads))
    else:
        attended = functional.scaled_dot_product_attention(
            *(query, key, value),
            attn_mask=None if bias is None else mask + bias,
            is_causal=bias is None,
            dropout_p=dropout.rate if dropout.active else 0.0,
        )
    return attended.transpose(1, 2)
