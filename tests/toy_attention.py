"""Attention by its plain formula, and inputs for it."""

import math

import torch
from gradient_checks import randoms
from torch import Tensor, nn

from sasrec.attention import Projections, attend
from sasrec.layout import Layout
from sasrec.noise import Noise

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


def attended(layout: Layout, leaves: list[Tensor], num_heads: int, noise: Noise | None) -> Tensor:
    """The real positions of `attend`."""
    x, context, *weights = leaves
    result = attend(x, context, projections_of(weights), layout, num_heads=num_heads, noise=noise)
    assert result.isfinite().all()
    return result[layout.real]


def plain(
    layout: Layout, leaves: list[Tensor], num_heads: int, factors: list[Tensor] | None = None
) -> Tensor:
    """The formula sequence by sequence and head by head, at real positions.

    Args:
        factors: for each sequence [H, L, L], what its weights are multiplied by.
    """
    x, context, *weights = leaves
    inputs = (x, context, context)
    query, key, value = (
        one @ weight.T + bias
        for one, weight, bias in zip(inputs, weights[::2], weights[1::2], strict=True)
    )
    outputs = []
    for number, length in enumerate(layout.lengths.tolist()):
        slots = torch.where(layout.real & (layout.sequences == number))[0]
        parts = (whole[slots].chunk(num_heads, 1) for whole in (query, key, value))
        heads = []
        for head, (q, k, v) in enumerate(zip(*parts, strict=True)):
            scores = q @ k.T / math.sqrt(SIZE / num_heads)
            later = torch.ones(length, length).triu(1).bool()
            weights = scores.masked_fill(later, -math.inf).softmax(1)
            heads.append((weights * factors[number][head] if factors else weights) @ v)
        outputs.append(torch.cat(heads, 1))
    return torch.cat(outputs)


def factors_of(masks: list[Tensor], layout: Layout, num_heads: int) -> list[Tensor]:
    """What blocks of queries were multiplied by, put together for each sequence: [H, L, L]."""
    masks, factors, first = iter(masks), [], 0
    places = list(zip(layout.last_slots.tolist(), layout.lengths.tolist(), strict=True))
    for group in layout.groups:
        factor, stop = torch.zeros(group.rows * num_heads, group.width, group.width), 0
        while stop < group.width:
            mask = next(masks)
            start, stop = stop, stop + mask.shape[1]
            factor[:, start:stop, : mask.shape[2]] = mask
        factor = factor.view(group.rows, num_heads, group.width, group.width).double()
        for last, length in places:
            if first <= last < first + group.slots:
                row, end = divmod(last - first, group.width)
                span = slice(end + 1 - length, end + 1)
                factors.append(factor[row, :, span, span])
        first += group.slots
    assert next(masks, None) is None
    return factors
