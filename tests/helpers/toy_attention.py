"""Attention by its plain formula, and inputs for it."""

import math

import torch
from gradient_checks import randoms
from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.model.attention import Projections

SIZE = 6


def inputs(layout: Layout, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """x and context [T, D]; weights and biases of query, key and value."""
    slots = len(layout.real)
    return randoms((slots, SIZE), (slots, SIZE), *[(SIZE, SIZE), (SIZE,)] * 3, dtype=dtype)


def projections_of(weights: list[Tensor]) -> Projections:
    linears = [nn.Linear(SIZE, SIZE, dtype=weights[0].dtype) for _ in range(3)]
    for linear, weight, bias in zip(linears, weights[::2], weights[1::2], strict=True):
        del linear.weight, linear.bias
        linear.weight, linear.bias = weight, bias
    return Projections(*linears)


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


def plain_from(
    layout: Layout, leaves: list[Tensor], num_heads: int, factors: Tensor | None = None
) -> Tensor:
    """`plain` of what the projections make of x and context."""
    x, context, *weights = leaves
    parts = tuple(
        one @ weight.T + bias
        for one, weight, bias in zip(
            (x, context, context), weights[::2], weights[1::2], strict=True
        )
    )
    return plain(layout, parts, num_heads, factors)
