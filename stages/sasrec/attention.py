"""Causal attention within the sequences of a batch.

Shapes: T slots in all, D hidden size, H heads, d = D / H; R rows of a group, W their width.

A batch is a few groups of rows [R, W] that lie end to end along one axis of T slots, and a row
holds several sequences side by side (see layout.py). The formula (paper, equations 2 and 3):

    A = dropout(softmax(Q K^T / sqrt(d) + mask)) V

for each row and head, where the mask hides later positions and other sequences. `attend` computes
it by packed_attention.py where gradients.py says so, and by torch's fused kernel elsewhere.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sasrec.gradients import by_hand
from sasrec.layout import Layout
from sasrec.noise import Noise
from sasrec.packed_attention import PackedAttention


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
    assert len(layout.real) == len(x) == len(context), (layout.groups, x.shape, context.shape)
    if by_hand(x):
        weights = (tensor for linear in projections for tensor in (linear.weight, linear.bias))
        return PackedAttention.apply(x, context, *weights, layout, num_heads, noise)
    query, key, value = projections.query(x), projections.key(context), projections.value(context)
    return _fused_attention(query, key, value, layout, num_heads, noise)


def _fused_attention(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, num_heads: int, noise: Noise | None
) -> Tensor:
    outputs = []
    slots = [group.slots for group in layout.groups]
    parts = zip(
        layout.groups, query.split(slots), key.split(slots), value.split(slots), strict=True
    )
    for index, (group, *qkv) in enumerate(parts):
        attended = functional.scaled_dot_product_attention(
            *(x.view(group.rows, group.width, num_heads, -1).transpose(1, 2) for x in qkv),
            attn_mask=None if group.most == 1 else layout.masks[index][:, None].to(query.dtype),
            is_causal=group.most == 1,
            dropout_p=noise.rate if noise else 0.0,
        )
        outputs.append(attended.transpose(1, 2).reshape(group.slots, -1))
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0]
