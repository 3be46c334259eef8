"""Negatives of two kinds.

Mixed negative sampling (Yang et al., "Mixed Negative Sampling for Learning Two-tower Neural
Networks in Recommendations", WWW 2020): those of the batch learn what is popular, uniform ones
what is rare.
"""

import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.objectives.popularity import InBatchNegatives
from sasrec.objectives.uniform import UniformNegatives


class MixedNegatives:
    """A row of the table `NEGATIVES`: each is of the batch or uniform, by the toss of a coin."""

    def __init__(self, sequences: Sequences, num_items: int, device: torch.device) -> None:
        self._of_batch = InBatchNegatives(sequences, num_items, device)
        self._uniform = UniformNegatives(sequences, num_items, device)

    def draw(self, batch: TrainingBatch, count: int, generator: torch.Generator) -> Tensor:
        """See `Negatives`."""
        both = [part.draw(batch, count, generator) for part in (self._of_batch, self._uniform)]
        shape, device = both[0].shape, both[0].device
        heads = torch.randint(2, shape, generator=generator, device=device)
        return torch.where(heads > 0, *both)

    def log_odds(self, batch: TrainingBatch, items: Tensor) -> Tensor:
        """See `Negatives`."""
        return ((1 + self._of_batch.log_odds(batch, items).exp()) / 2).log()
