"""Attention of each sequence's latest position: all that ranking needs of a model's last block.

Shapes: B sequences, T slots, D hidden size, H heads, W the width of a row.
"""

import math

import torch
from torch import Tensor

from sasrec.batching.layout import Layout
from sasrec.model.attention import Projections


def attend_last(
    x: Tensor, context: Tensor, projections: Projections, layout: Layout, *, num_heads: int
) -> Tensor:
    """Attention of the latest position of each sequence only, without dropout.

    Keys and values of all positions are not needed: a score q (W c + b) is (q W) c, beside what
    is the same for all keys of a softmax, and a sum of values is a value of the sum.

    Args:
        x: [B, D], what queries are made of, one a sequence.
        context: [T, D], what keys and values are made of.

    Returns: [B, D].
    """
    size = x.shape[1] // num_heads
    by_head = projections.query(x).view(-1, num_heads, size) / math.sqrt(size)
    w_k, w_v = (
        linear.weight.view(num_heads, size, -1) for linear in (projections.key, projections.value)
    )
    queries = torch.einsum("bhd,hdc->bhc", by_head, w_k)  # [B, H, D]
    keys = layout.to_rows(context)  # [B, W, D]
    scores = queries @ keys.transpose(1, 2)
    hidden = torch.arange(keys.shape[1], device=x.device) >= layout.lengths[:, None]
    weights = scores.masked_fill_(hidden[:, None], -math.inf).softmax(-1)
    values = torch.einsum("bhc,hdc->bhd", weights @ keys, w_v)
    return values.flatten(1) + projections.value.bias
