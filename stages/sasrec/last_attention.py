"""Attention of each sequence's latest position: all that ranking needs of a model's last block.

Shapes: B sequences, T slots, D hidden size, H heads; a group's R rows of width W,
of at most M sequences each.
"""

import math

import torch
from torch import Tensor

from sasrec.attention import Projections
from sasrec.layout import Layout


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
    outputs = []
    first, slot = 0, 0
    for group, owners in zip(layout.groups, layout.owners, strict=True):
        # The group's sequences, by row and place in the row, as queries [R, M, H, D].
        stop = first + int((layout.last_slots[first:] < slot + group.slots).sum())
        members = torch.arange(first, stop, device=x.device)
        row = (layout.last_slots[first:stop] - slot) // group.width
        place = members - first - torch.searchsorted(row, row)
        asked = queries.new_zeros(group.rows, group.most, *queries.shape[1:])
        asked[row, place] = queries[first:stop]
        asking = owners.new_full((group.rows, group.most), -2)
        asking[row, place] = members.to(asking.dtype)

        keys = context[slot : slot + group.slots].view(group.rows, group.width, -1)
        scores = (asked.flatten(1, 2) @ keys.transpose(1, 2)).unflatten(1, (group.most, num_heads))
        hidden = asking[:, :, None, None] != owners[:, None, None, :]
        weights = scores.masked_fill_(hidden, -math.inf).softmax(-1)
        attended = (weights.flatten(1, 2) @ keys).unflatten(1, (group.most, num_heads))
        outputs.append(attended[row, place])
        first, slot = stop, slot + group.slots
    values = torch.einsum("bhc,hdc->bhd", torch.cat(outputs), w_v)
    return values.flatten(1) + projections.value.bias
