"""Negatives of two kinds.

Mixed negative sampling (Yang et al., "Mixed Negative Sampling for Learning Two-tower Neural
Networks in Recommendations", WWW 2020): those of the batch learn what is popular, uniform ones
what is rare.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.objectives.negatives import BatchNegatives
from sasrec.objectives.popularity import InBatchNegatives
from sasrec.objectives.uniform import UniformNegatives


class MixedNegatives:
    """A row of the table `NEGATIVES`: each is of the batch or uniform, by the toss of a coin."""

    def __init__(self, sequences: Sequences, num_items: int, device: torch.device) -> None:
        self._of_batch = InBatchNegatives(sequences, num_items, device)
        self._uniform = UniformNegatives(sequences, num_items, device)

    def of(self, batch: TrainingBatch) -> "MixedOfBatch":
        """See `Negatives`."""
        return MixedOfBatch(self._of_batch.of(batch), self._uniform.of(batch))


class MixedOfBatch(NamedTuple):
    """Both kinds of a batch."""

    of_batch: BatchNegatives
    uniform: BatchNegatives

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """See `BatchNegatives`."""
        both = [part.draw(count, generator) for part in self]
        shape, device = both[0].shape, both[0].device
        heads = torch.randint(2, shape, generator=generator, device=device)
        return torch.where(heads > 0, *both)

    def log_odds(self, items: Tensor) -> Tensor:
        """See `BatchNegatives`."""
        return ((1 + self.of_batch.log_odds(items).exp()) / 2).log()
