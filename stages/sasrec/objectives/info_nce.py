"""InfoNCE over the sequences of a batch: whose view is it?

Shapes: B sequences, D hidden size.

Each of 2 B representations is to find its partner, the other one of its sequence, among all others:
with s = z z' / temperature

    mean over i of  -log(e^s(i, partner) / sum over j other than i of e^s(i, j))

(Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020,
equation 1; CL4SRec, equation 4). So there are 2 (B - 1) negatives.
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.objectives.losses import sum_in_blocks


def info_nce(one: Tensor, other: Tensor, temperature: float, alike: Tensor | None = None) -> Tensor:
    """The mean over the 2 B representations, a scalar.

    Args:
        one, other: [B, D], two representations of each sequence.
        alike: int64 [B], a number for each sequence: those of the same number are no negatives of
            each other. None where all others are negatives.
    """
    every, count = torch.cat([one, other]), len(one)
    places = torch.arange(2 * count, device=every.device)
    partners = (places + count) % (2 * count)
    numbers = None if alike is None else torch.cat([alike, alike])
    sums = partial(_sum, temperature=temperature, numbers=numbers)
    return sum_in_blocks(sums, every, every, places, partners, scores=len(every)) / len(every)


def _sum(
    every: Tensor,
    own: Tensor,
    places: Tensor,
    partners: Tensor,
    *,
    temperature: float,
    numbers: Tensor | None,
) -> Tensor:
    """Over some representations `own` that lie at `places` of `every` [2 B, D]."""
    columns = torch.arange(len(every), device=every.device)
    hidden = places[:, None] == columns
    if numbers is not None:
        alike = numbers[places][:, None] == numbers
        hidden = hidden | (alike & (partners[:, None] != columns))
    scores = (own @ every.T / temperature).masked_fill(hidden, -torch.inf)
    return functional.cross_entropy(scores, partners, reduction="sum")
