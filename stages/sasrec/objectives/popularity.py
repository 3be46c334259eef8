"""Negatives in proportion to how often items occur, outside the user's training history.

Shapes: T slots, K negatives a slot, N items, R users.

Every item has a little weight besides, so that nobody is left without negatives, and the odds of
any item are known.
"""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.objectives.negatives import in_goes, random_below
from sasrec.objectives.weighted import KnownItems, WeightedUnseen

# Of one occurrence; an item has 1 without any. In a batch there are far fewer than in the data.
WEIGHT_IN_DATA, WEIGHT_IN_BATCH = 1 << 10, 1 << 20


class WeightedNegatives(ABC):
    """Draws by the weights that a class derived from it gives to items."""

    def __init__(self, sequences: Sequences, num_items: int, device: torch.device) -> None:
        self._sequences, self._num_items, self._device = sequences, num_items, device
        self._of_all = None
        if device.type != "cpu":  # where a batch's users are not known to the host
            self._of_all = self._known(np.arange(sequences.num_users + 1))

    @abstractmethod
    def weights(self, batch: TrainingBatch) -> Tensor:
        """int64 [N + 1]; from 1 but for entry 0."""

    def of(self, batch: TrainingBatch) -> "WeightedOfBatch":
        """See `Negatives`."""
        rows = batch.inputs.layout.sequences
        if self._of_all is None:
            known = self._known(batch.users.numpy())
        else:
            known, rows = self._of_all, batch.users[rows]
        weights = self.weights(batch)
        counts = self._num_items - known.starts.diff()
        return WeightedOfBatch(WeightedUnseen.of(known, weights), weights, counts, rows)

    def _known(self, users: np.ndarray) -> KnownItems:
        return KnownItems.of(self._sequences, users, self._num_items, self._device)


class WeightedOfBatch(NamedTuple):
    """Negatives of a batch by weight.

    Attributes:
        unseen: what R users, those of the batch or all, do not know.
        weights: int64 [N + 1], of items.
        counts: int64 [R], how many items each does not know.
        rows: int64 [T], whose slot it is.
    """

    unseen: WeightedUnseen
    weights: Tensor
    counts: Tensor
    rows: Tensor

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """See `BatchNegatives`."""
        unseen = self.unseen

        def draw(part: Tensor) -> Tensor:
            return unseen.nth(part, random_below(unseen.left[part], generator))

        return in_goes(self.rows[:, None].expand(-1, count), draw)

    def log_odds(self, items: Tensor) -> Tensor:
        """See `BatchNegatives`."""
        times = (self.counts.double() / self.unseen.left)[self.rows]
        return (self.weights[items] * times[:, None]).log().float()


class PopularityNegatives(WeightedNegatives):
    """A row of the table `NEGATIVES`: by how often an item is in the training sequences."""

    def __init__(self, sequences: Sequences, num_items: int, device: torch.device) -> None:
        super().__init__(sequences, num_items, device)
        counts = np.bincount(sequences.items, minlength=num_items + 1)
        self._weights = _weights(torch.from_numpy(counts).to(device), WEIGHT_IN_DATA)

    def weights(self, batch: TrainingBatch) -> Tensor:
        """Of the whole training data."""
        return self._weights


class InBatchNegatives(WeightedNegatives):
    """A row of the table `NEGATIVES`: by how often an item is a target of the same batch."""

    def weights(self, batch: TrainingBatch) -> Tensor:
        """Of the batch's targets."""
        counts = batch.targets.new_zeros(self._num_items + 1)
        counts.index_add_(0, batch.targets, torch.ones_like(batch.targets))
        return _weights(counts, WEIGHT_IN_BATCH)


def _weights(counts: Tensor, each: int) -> Tensor:
    weights = 1 + each * counts
    weights[0] = 0
    return weights
