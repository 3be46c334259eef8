"""Binary cross-entropy of the next item against negatives.

Shapes: T slots, D hidden size, K negatives a slot.
"""

import torch
from torch import Tensor
from torch.nn.functional import embedding as rows_of
from torch.nn.functional import softplus

from sasrec.objectives.losses import Loss, LossSettings, sum_in_blocks


class BinaryCrossEntropy(Loss):
    """-w log sigmoid(s+) - sum over K negatives of log(1 - sigmoid(s-)).

    Section III-E of the paper, where w = 1 and K = 1; with several negatives their terms are added,
    as in gSASRec (Petrov & Macdonald, RecSys 2023, equation 3).

    Args:
        positive_weight: w.
    """

    def __init__(
        self, settings: LossSettings, num_items: int, *, positive_weight: float = 1.0
    ) -> None:
        super().__init__()
        self.num_negatives = settings.num_negatives
        self.positive_weight = positive_weight

    def forward(
        self, states: Tensor, embedding: Tensor, targets: Tensor, negatives: Tensor
    ) -> Tensor:
        """See `Loss`."""
        check_shapes(states, targets, negatives)
        # A slot's scores, and the rows that they are made of.
        numbers = (1 + negatives.shape[1]) * states.shape[1]
        return sum_in_blocks(self._sum, embedding, states, targets, negatives, scores=numbers)

    def of_scores(self, target: Tensor, candidates: Tensor, every: Tensor) -> Tensor:
        """See `Loss`; the mean over candidates stands for that of negatives."""
        negatives = self.num_negatives * softplus(candidates).mean(1)
        return self.positive_weight * softplus(-target) + negatives

    def _sum(self, embedding: Tensor, states: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
        items = torch.cat([targets[:, None], negatives], 1)
        scores = (states[:, None] * rows_of(items, embedding)).sum(2)
        positive = self.positive_weight * softplus(-scores[:, 0])
        losses = positive + softplus(scores[:, 1:]).sum(1)
        return torch.where(targets > 0, losses, 0).sum()


def check_shapes(states: Tensor, targets: Tensor, negatives: Tensor) -> None:
    """Hold that all are of the same slots."""
    assert targets.shape == states.shape[:1] == negatives.shape[:1], (
        f"states {list(states.shape)}, targets {list(targets.shape)}, "
        f"negatives {list(negatives.shape)}"
    )
