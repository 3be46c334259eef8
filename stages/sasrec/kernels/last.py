"""Attention of each sequence's latest position: all that ranking needs of a model's last block.

Shapes: B sequences, T slots, D hidden size, H heads, W the width of a row.

Keys and values of all positions are not needed: a score q (W c + b) is (q W) c, beside what is the
same for all keys of a softmax, and a sum of values is a value of the sum.
"""

import math

import torch
from torch import Tensor

from sasrec.batching.layout import Layout
from sasrec.model.attention import SoftmaxAttention
from sasrec.model.block import Block
from sasrec.model.positions import PositionInAttention


def supports(block: Block) -> bool:
    """True for softmax attention that is told nothing of positions; with any other parts."""
    attention = block.attention
    plain = type(attention) is SoftmaxAttention
    return plain and type(attention.position) is PositionInAttention


def last(block: Block, x: Tensor, layout: Layout) -> Tensor:
    """What `Block.last` computes, without dropout: [T, D] to [B, D]."""
    query, _, residual = block.attention_inputs(x[layout.last_slots])
    _, key_value, _ = block.attention_inputs(x)
    return block.after_attention(residual, _attend(block.attention, query, key_value, layout))


def _attend(attention: SoftmaxAttention, x: Tensor, context: Tensor, layout: Layout) -> Tensor:
    """Queries of x [B, D], keys and values of context [T, D]; returns [B, D]."""
    heads = (attention.num_heads, -1)
    query = attention.query(x).unflatten(1, heads)
    w_k, w_v = (linear.weight.unflatten(0, heads) for linear in (attention.key, attention.value))
    queries = torch.einsum("bhd,hdc->bhc", query / math.sqrt(query.shape[2]), w_k)  # [B, H, D]
    rows = layout.to_rows(context)
    counts = [len(keys) for keys in rows]
    parts = zip(queries.split(counts), rows, layout.lengths.split(counts), strict=True)
    attended = torch.cat([_average(*part) for part in parts])
    values = torch.einsum("bhc,hdc->bhd", attended, w_v)
    return attention.projection(values.flatten(1) + attention.value.bias)


def _average(queries: Tensor, keys: Tensor, lengths: Tensor) -> Tensor:
    """Of keys [B, W, D] by their weights for queries [B, H, D]: [B, H, D]."""
    scores = queries @ keys.transpose(1, 2)
    hidden = torch.arange(keys.shape[1], device=keys.device) >= lengths[:, None]
    return scores.masked_fill_(hidden[:, None], -math.inf).softmax(-1) @ keys
