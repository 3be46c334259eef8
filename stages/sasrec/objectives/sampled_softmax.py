"""Cross-entropy of the next item among itself and K negatives.

Shapes: T slots, D hidden size, K negatives a slot.

    -log(e^s+ / (e^s+ + sum over K negatives of e^(s- - c)))

where c is the logarithm of how many times likelier that negative is drawn than uniformly. So the
sum stands for that of K uniform negatives, however they are drawn (the logQ correction: Bengio &
Senecal 2008; Yi et al., RecSys 2019, equation 3). Uniform negatives have c = 0.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import embedding as rows_of

from sasrec.objectives.binary_cross_entropy import check_shapes
from sasrec.objectives.losses import Loss, LossSettings, sum_in_blocks


class SampledSoftmax(Loss):
    """With c where `logq` says so, and 0 otherwise."""

    def __init__(self, settings: LossSettings, num_items: int) -> None:
        super().__init__()
        self.num_negatives = settings.num_negatives
        self.corrects = settings.logq

    def forward(
        self,
        states: Tensor,
        embedding: Tensor,
        targets: Tensor,
        negatives: Tensor,
        log_odds: Tensor | None = None,
    ) -> Tensor:
        """See `Loss`."""
        check_shapes(states, targets, negatives)
        if log_odds is None:
            log_odds = torch.zeros_like(negatives, dtype=states.dtype)
        # A slot's scores, and the rows that they are made of.
        numbers = (1 + negatives.shape[1]) * states.shape[1]
        slots = (states, targets, negatives, log_odds)
        return sum_in_blocks(_sum, embedding, *slots, scores=numbers)

    def of_scores(self, target: Tensor, candidates: Tensor, every: Tensor) -> Tensor:
        """See `Loss`; the mean over candidates stands for that of negatives."""
        mean = candidates.logsumexp(1) - math.log(candidates.shape[1])
        return torch.logaddexp(target, mean + math.log(self.num_negatives)) - target


def _sum(
    embedding: Tensor, states: Tensor, targets: Tensor, negatives: Tensor, log_odds: Tensor
) -> Tensor:
    items = torch.cat([targets[:, None], negatives], 1)
    scores = (rows_of(items, embedding) @ states[:, :, None]).squeeze(2)
    scores = torch.cat([scores[:, :1], scores[:, 1:] - log_odds], 1)
    losses = scores.logsumexp(1) - scores[:, 0]
    return torch.where(targets > 0, losses, 0).sum()
