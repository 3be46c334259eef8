"""Attention by its plain formula, sequence by sequence."""

import math

import torch
from torch import Tensor

from sasrec.batching.layout import Layout


def plain(
    layout: Layout,
    parts: tuple[Tensor, Tensor, Tensor],
    num_heads: int,
    factors: Tensor | None = None,
) -> Tensor:
    """The formula sequence by sequence and head by head, at real positions.

    Args:
        parts: queries, keys and values, each [T, D].
        factors: what the weights are multiplied by, sequence by sequence, head by head and row by
            row, without the later positions.
    """
    left = None if factors is None else iter(factors.split(1))
    outputs = []
    for number, length in enumerate(layout.lengths.tolist()):
        slots = torch.where(layout.real & (layout.sequences == number))[0]
        heads = []
        for q, k, v in zip(*(part[slots].chunk(num_heads, 1) for part in parts), strict=True):
            scores = q @ k.T / math.sqrt(q.shape[1])
            later = torch.ones(length, length).triu(1).bool()
            weights = scores.masked_fill(later, -math.inf).softmax(1)
            if left is not None:
                kept = torch.zeros_like(weights)
                for row in range(length):
                    kept[row, : row + 1] = torch.cat([next(left) for _ in range(row + 1)])
                weights = weights * kept
            heads.append(weights @ v)
        outputs.append(torch.cat(heads, 1))
    assert left is None or next(left, None) is None
    return torch.cat(outputs)
