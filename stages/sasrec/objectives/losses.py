"""What a loss of the next item is: a row of the table `LOSSES` (tables.py) gives one.

Shapes: T slots, D hidden size, N items, K negatives a slot.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sasrec.base.params import Section

SCORED_AT_ONCE = 1 << 22  # scores: 16 MiB of them


class LossSettings(Section):
    """What losses may ask for.

    Attributes:
        num_negatives: K, of losses that compare with negatives.
        label_smoothing: s of losses that spread it over all items.
        calibration: t of gBCE.
        logq: whether sampled softmax weighs negatives by how likely they are drawn.
    """

    num_negatives: int = Field(ge=1)
    label_smoothing: float = Field(ge=0, lt=1)
    calibration: float = Field(ge=0, le=1)
    logq: bool


class Loss(nn.Module, ABC):
    """A loss of states, against the items that follow them.

    Attributes:
        num_negatives: how many a position it wants; 0 where it compares with all items.
        corrects: whether it wants to know how likely each of them is drawn.
        smooths: whether it takes `label_smoothing`; no other loss is made with any.
    """

    num_negatives = 0
    corrects = False
    smooths = False

    @abstractmethod
    def forward(self, states: Tensor, embedding: Tensor, targets: Tensor, *drawn: Tensor) -> Tensor:
        """The sum over real positions, a scalar.

        Args:
            states: [T, D].
            embedding: [N + 1, D], of items by id.
            targets: int64 [T], the item that follows; 0 marks padding, which counts nothing.
            drawn: negatives, int64 [T, K], where K is not 0; and, for a loss that corrects, their
                logarithmic odds [T, K] (see `BatchNegatives`).
        """

    @abstractmethod
    def of_scores(self, target: Tensor, candidates: Tensor, every: Tensor) -> Tensor:
        """The same of B targets whose scores are known, for validation: [B].

        Args:
            target: [B].
            candidates: [B, C], of items that the user does not know.
            every: [B, N + 1], of all items; column 0 is padding.
        """


def sum_in_blocks(
    function: Callable[..., Tensor], embedding: Tensor, *by_slot: Tensor, scores: int
) -> Tensor:
    """The sum of function(embedding, *parts) over blocks of slots; `scores` are those of a slot.

    So the scores of a batch are never in memory at once: in the backward pass a block's are
    computed again.
    """
    block = max(1, SCORED_AT_ONCE // scores)
    if len(by_slot[0]) <= block:
        return function(embedding, *by_slot)
    total = torch.zeros((), device=embedding.device, dtype=embedding.dtype)
    for parts in zip(*(tensor.split(block) for tensor in by_slot), strict=True):
        total = total + checkpoint(
            function, embedding, *parts, use_reentrant=False, preserve_rng_state=False
        )
    return total
