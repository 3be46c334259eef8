"""Negatives uniform over the items outside the user's training history.

The authors draw one a position, anew every epoch (sampler.py).
"""

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

    def draw(self, batch: TrainingBatch, count: int, generator: torch.Generator) -> Tensor:
        """See `Negatives`."""
        rows = batch.inputs.layout.sequences
        if self._of_all is None:
            sampler = self._sampler(batch.users.numpy())
        else:
            sampler, rows = self._of_all, batch.users[rows]
        return sampler.draw(rows[:, None].expand(-1, count), generator)

    def log_odds(self, batch: TrainingBatch, items: Tensor) -> Tensor:
        """See `Negatives`."""
        return torch.zeros(items.shape, device=items.device)

    def _sampler(self, users: np.ndarray) -> NegativeSampler:
        unseen = unseen_items(self._sequences, users, self._num_items)
        return NegativeSampler.build(unseen, self._device)
