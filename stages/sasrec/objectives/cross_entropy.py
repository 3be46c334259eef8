"""Cross-entropy of the next item among all items.

Shapes: T slots, D hidden size, N items.

    -log(e^s+ / sum over all items of e^s)

as in Klenitskiy & Vasilev, "Turning Dross Into Gold Loss" (RecSys 2023). No negatives are drawn.
"""

from torch import Tensor
from torch.nn import functional

from sasrec.objectives.losses import Loss, LossSettings, sum_in_blocks


class CrossEntropy(Loss):
    """Over blocks of slots, so that the scores of a batch are never in memory at once."""

    def __init__(self, settings: LossSettings, num_items: int) -> None:
        super().__init__()

    def forward(self, states: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`."""
        assert targets.shape == states.shape[:1], (states.shape, targets.shape)
        return sum_in_blocks(_sum, embedding, states, targets, scores=len(embedding))

    def of_scores(self, target: Tensor, candidates: Tensor, every: Tensor) -> Tensor:
        """See `Loss`."""
        return every[:, 1:].logsumexp(1) - target


def _sum(embedding: Tensor, states: Tensor, targets: Tensor) -> Tensor:
    scores = states @ embedding[1:].T  # without padding's row
    return functional.cross_entropy(scores, targets - 1, ignore_index=-1, reduction="sum")
