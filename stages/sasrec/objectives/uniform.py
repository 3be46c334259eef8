"""Negatives uniform over the items outside the user's training history.

The authors draw one a position, anew every epoch (sampler.py).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.data.unseen import unseen_items
from sasrec.objectives.negatives import NegativeSampler

# Up to so many interactions what all users have not seen is found at the start: 8 bytes each.
SAMPLED_AT_ONCE = 1 << 22


class UniformNegatives:
    """A row of the table `NEGATIVES`.

    On the CPU and with many interactions, what a batch's users have not seen is found when it is
    drawn for, so that memory follows the batch.
    """

    def __init__(self, sequences: Sequences, num_items: int, device: torch.device) -> None:
        self._sequences, self._num_items, self._device = sequences, num_items, device
        at_once = device.type != "cpu" or len(sequences.items) <= SAMPLED_AT_ONCE
        self._of_all = self._sampler(np.arange(sequences.num_users + 1)) if at_once else None

    def of(self, batch: TrainingBatch) -> "UniformOfBatch":
        """See `Negatives`."""
        rows = batch.inputs.layout.sequences
        if self._of_all is None:
            return UniformOfBatch(self._sampler(batch.users.numpy()), rows)
        return UniformOfBatch(self._of_all, batch.users[rows])

    def _sampler(self, users: np.ndarray) -> NegativeSampler:
        unseen = unseen_items(self._sequences, users, self._num_items)
        return NegativeSampler.build(unseen, self._device)


class UniformOfBatch(NamedTuple):
    """Uniform negatives of a batch.

    Attributes:
        sampler: of its users, or of all.
        rows: int64 [T], which of them each slot is of.
    """

    sampler: NegativeSampler
    rows: Tensor

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """See `BatchNegatives`."""
        return self.sampler.draw(self.rows[:, None].expand(-1, count), generator)

    def log_odds(self, items: Tensor) -> Tensor:
        """See `BatchNegatives`."""
        return torch.zeros(items.shape, device=items.device)
