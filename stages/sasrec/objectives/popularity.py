"""Negatives in proportion to how often items occur, outside the user's training history.

Shapes: T slots, K negatives a slot, N items, R users.

Every item has a little weight besides, so that nobody is left without negatives, and the odds of
any item are known.
"""

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


class Unseen(NamedTuple):
    """What the users of a batch do not know.

    Attributes:
        weighted: those items by weight.
        counts: int64 [R], how many there are.
        rows: int64 [T], whose slot it is.
    """

    weighted: WeightedUnseen
    counts: Tensor
    rows: Tensor


class WeightedNegatives:
    """Draws by the weights that a class derived from it gives to items."""

    def __init__(self, sequences: Sequences, num_items: int, device: torch.device) -> None:
        self._sequences, self._num_items, self._device = sequences, num_items, device
        self._of_all = None
        if device.type != "cpu":  # where a batch's users are not known to the host
            self._of_all = self._known(np.arange(sequences.num_users + 1))

    def weights(self, batch: TrainingBatch) -> Tensor:
        """int64 [N + 1]; from 1 but for entry 0."""
        raise NotImplementedError

    def draw(self, batch: TrainingBatch, count: int, generator: torch.Generator) -> Tensor:
        """See `Negatives`."""
        weighted, _, rows = self._unseen(batch)

        def draw(part: Tensor) -> Tensor:
            return weighted.nth(part, random_below(weighted.left[part], generator))

        return in_goes(rows[:, None].expand(-1, count), draw)

    def log_odds(self, batch: TrainingBatch, items: Tensor) -> Tensor:
        """See `Negatives`."""
        weighted, counts, rows = self._unseen(batch)
        times = (counts.double() / weighted.left)[rows]
        return (self.weights(batch)[items] * times[:, None]).log().float()

    def _unseen(self, batch: TrainingBatch) -> Unseen:
        rows = batch.inputs.layout.sequences
        if self._of_all is None:
            known = self._known(batch.users.numpy())
        else:
            known, rows = self._of_all, batch.users[rows]
        counts = self._num_items - known.starts.diff()
        return Unseen(WeightedUnseen.of(known, self.weights(batch)), counts, rows)

    def _known(self, users: np.ndarray) -> KnownItems:
        return KnownItems.of(self._sequences, users, self._num_items, self._device)


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
