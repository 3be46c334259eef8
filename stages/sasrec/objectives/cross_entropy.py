"""Cross-entropy of the next item among all items.

Shapes: T slots, D hidden size, N items.

    -log(e^s+ / sum over all items of e^s)

as in Klenitskiy & Vasilev, "Turning Dross Into Gold Loss" (RecSys 2023). No negatives are drawn.
With smoothed labels (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
CVPR 2016, section 7) the target has the weight 1 - a and every item, the target too, a / N:

    log(sum over all items of e^s) - (1 - a) s+ - a (mean of s over all items)
"""

from functools import partial

from torch import Tensor
from torch.nn import functional

from sasrec.objectives.losses import Loss, LossSettings, sum_in_blocks


class CrossEntropy(Loss):
    """Over blocks of slots, so that the scores of a batch are never in memory at once.

    a is `label_smoothing`.
    """

    smooths = True

    def __init__(self, settings: LossSettings, num_items: int) -> None:
        super().__init__()
        self.smoothing = settings.label_smoothing

    def forward(self, states: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`."""
        assert targets.shape == states.shape[:1], (states.shape, targets.shape)
        sums = partial(_sum, smoothing=self.smoothing)
        return sum_in_blocks(sums, embedding, states, targets, scores=len(embedding))

    def of_scores(self, target: Tensor, candidates: Tensor, every: Tensor) -> Tensor:
        """See `Loss`."""
        labelled = target + self.smoothing * (every[:, 1:].mean(1) - target)
        return every[:, 1:].logsumexp(1) - labelled


def _sum(embedding: Tensor, states: Tensor, targets: Tensor, *, smoothing: float) -> Tensor:
    scores = states @ embedding[1:].T  # without padding's row
    return functional.cross_entropy(
        scores, targets - 1, ignore_index=-1, reduction="sum", label_smoothing=smoothing
    )
