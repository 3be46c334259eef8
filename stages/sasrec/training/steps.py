"""The steps of an epoch: random batches, and what the objective prepares of them.

Every epoch starts its own generators from (seed, epoch), so nothing depends on what ran before.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from sasrec.batching.batches import SequenceReader, TrainingBatch, epoch_batches
from sasrec.batching.windows import WINDOWS
from sasrec.machine.distributed import World
from sasrec.model.dropout import Dropout
from sasrec.objectives.objective import Objective
from sasrec.training.params import TrainParams

# So many batches are made in a row: what a step leaves in the caches slows the next one's making.
# Fewer where they hold more than so many numbers together, 8 bytes each.
PREPARED_AT_ONCE, PREPARED_NUMBERS = 32, 1 << 22


class Step(NamedTuple):
    """What one step of the optimizer learns from.

    Attributes:
        positions: of the whole batch, over all processes.
        batch: this process's share; None where it has none.
        prepared: what the objective drew for it.
    """

    positions: int
    batch: TrainingBatch | None
    prepared: Any


class Steps:
    """Makes the steps of each epoch.

    Args:
        users: int64, those who are learnt from.
        dropout: of the model, which is seeded with each epoch.
    """

    def __init__(
        self,
        users: np.ndarray,
        objective: Objective,
        reader: SequenceReader,
        dropout: Dropout,
        params: TrainParams,
        world: World,
    ) -> None:
        self.users = users
        self._objective = objective
        self._reader = reader
        self._dropout = dropout
        self._params = params
        self._world = world

    def of_epoch(self, epoch: int) -> Iterator[list[Step]]:
        """All of them in turn, as many at a time as are prepared at once.

        The lists are the caller's: of a step that is taken out of its list, nothing is held here.
        """
        generator = self.start(epoch)
        seed = self._params.seed
        order = np.random.default_rng((seed, epoch))
        batches = epoch_batches(self.users, self._params.batch_size, order)
        windows = np.random.SeedSequence((seed, epoch)).spawn(1)[0]  # the same in all processes
        skipped = WINDOWS[self._params.windows](
            *(self._reader.sequences.lengths, self._reader.max_length),
            np.random.default_rng(windows),
        )
        for together in self._together(batches):
            yield [self.make(users, generator, skipped) for users in together]

    def start(self, epoch: int) -> torch.Generator:
        """Seed dropout for this process, and give what negatives and views are drawn from."""
        own = np.random.SeedSequence((self._params.seed, epoch, self._world.rank + 1))
        negatives, dropout = own.spawn(2)
        dropout_seed = int(dropout.generate_state(1, np.uint64)[0])
        self._dropout.reseed(dropout_seed)
        torch.manual_seed(dropout_seed)  # what dropout draws from on other devices
        generator = torch.Generator(self._reader.device)
        generator.manual_seed(int(negatives.generate_state(1, np.uint64)[0] >> 1))
        return generator

    def make(
        self, users: np.ndarray, generator: torch.Generator, skipped: np.ndarray | None = None
    ) -> Step:
        """The step that learns from `users`, or from this process's share of them.

        Args:
            skipped: int64 [U + 1], how many of each user's latest items stay out (windows.py).
        """
        share = users[self._world.rank :: self._world.size]
        positions = self.positions(users)
        if not len(share):  # a last batch of fewer users than processes
            return Step(positions, None, None)
        batch = self._reader.training_batch(share, 0 if skipped is None else skipped[share])
        return Step(positions, batch, self._objective.prepare(batch, generator))

    def positions(self, users: np.ndarray) -> int:
        """How many `users` are learnt from together."""
        lengths = self._reader.sequences.lengths[users]
        return int(np.minimum(lengths - 1, self._reader.max_length).sum())

    def _together(self, batches: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """The batches in turn, as many at a time as are prepared at once."""
        each = 4 + (self._objective.reads or 1)  # numbers a position, those of Step and its layout
        together, held = [], 0
        for users in batches:
            numbers = each * self.positions(users)
            if together and (
                len(together) == PREPARED_AT_ONCE or held + numbers > PREPARED_NUMBERS
            ):
                yield together
                together, held = [], 0
            together.append(users)
            held += numbers
        if together:
            yield together
