"""One epoch of training: random batches, what the objective prepares of them, Adam.

The same seed and number of threads give the same bytes on one CPU: every epoch starts its own
generators from (seed, epoch), so nothing depends on what ran before.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch, SequenceReader, TrainingBatch, epoch_batches
from sasrec.batching.windows import WINDOWS
from sasrec.kernels.drop_ins import is_attached
from sasrec.kernels.prepare import training_threads
from sasrec.machine.distributed import World
from sasrec.model.sasrec import SASRec
from sasrec.objectives.objective import Objective
from sasrec.training.averaging import AVERAGES
from sasrec.training.optimizer import DEFERRED_FROM, Optimizer
from sasrec.training.params import TrainParams
from sasrec.training.schedules import Schedule
from sasrec.training.trained_users import choose_users

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


@dataclass(frozen=True)
class EpochStats:
    """What an epoch came to: mean loss a position, positions learnt from, wall time."""

    loss: float
    interactions: int
    seconds: float


class Trainer:
    """Trains `model` on sequences, an epoch at a time.

    Args:
        model, objective: with the drop-ins that they are to compute by (kernels/prepare.py).
        reader: of the training sequences.
        world: the processes that share each batch; alone by default.

    Attributes:
        users: int64, those who are learnt from.
        left_out: how many others there are, by the reason.

    Raises:
        UserError: there is no user to learn from.
    """

    def __init__(
        self,
        model: SASRec,
        objective: Objective,
        reader: SequenceReader,
        params: TrainParams,
        world: World = World(),  # noqa: B008, it is immutable
    ) -> None:
        self.model = model
        self.objective = objective
        self.reader = reader
        self.params = params
        self.world = world
        self.device = reader.device
        self.users, self.left_out = choose_users(
            reader.sequences, model.num_items, negatives=objective.loss.num_negatives > 0
        )
        self.schedule = Schedule(
            *(params.schedule, params.learning_rate, params.warmup_steps),
            steps=math.ceil(len(self.users) / params.batch_size),
            epochs=params.epochs,
        )
        share = AVERAGES[params.average]
        self.optimizer = Optimizer(
            *(model, params.learning_rate),
            waiting=model.item_tables if self._defers() else [],
            objective=objective,
            decay=params.weight_decay,
            share=partial(share, decay=params.ema_decay) if share else None,
        )
        self._skipped = np.zeros(reader.sequences.num_users + 1, np.int64)  # see windows.py
        self._forward = _compiled(model, self.device) if params.compile else model

    def run_epoch(self, epoch: int) -> EpochStats:
        """Learn once from every user. `epoch` counts from 1.

        Raises:
            UserError: the loss is NaN or infinite, or the optimizer does not see a gradient.
        """
        started = time.perf_counter()
        self.model.train()
        batches, generator = self._start(epoch)
        rates = self.schedule.of_epoch(epoch) if self.schedule.changes else None
        total = torch.zeros((), device=self.device)
        with training_threads(self.model, self.objective.loss):
            for together in self._prepared_together(batches):
                steps = [self._prepare(users, generator) for users in together]
                while steps:  # none is held once it is done
                    if rates:
                        self.optimizer.set_rate(next(rates))
                    total += self._learn(steps.pop(0))
            self.optimizer.end_epoch()
        loss = self.world.add_up(total).item()
        interactions = int(self._positions(self.users).sum())
        if not np.isfinite(loss):
            raise UserError(
                f"the loss of epoch {epoch} is {loss}: training diverged; "
                f"lower train.learning_rate = {self.params.learning_rate}"
            )
        return EpochStats(loss / interactions, interactions, time.perf_counter() - started)

    def averaged(self) -> AbstractContextManager[None]:
        """For as long as it lasts, the model has the averaged weights, if `train.average` asks."""
        average = self.optimizer.average
        return average.in_place() if average else nullcontext()

    def loss(self, batch: TrainingBatch, prepared: Any) -> Tensor:
        """The sum of losses over the batch's real positions."""
        mixed = self.params.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=mixed):
            return self.objective(self.model, self._encode, batch, prepared)

    def _encode(self, batch: Batch) -> Tensor:
        """States [T, D], float32."""
        return self._forward(batch).to(self.model.item_embedding.dtype)

    def _prepared_together(self, batches: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """The batches in turn, as many at a time as are prepared at once."""
        each = 4 + (self.objective.reads or 1)  # numbers a position, those of Step and its layout
        together, held = [], 0
        for users in batches:
            numbers = each * int(self._positions(users).sum())
            if together and (
                len(together) == PREPARED_AT_ONCE or held + numbers > PREPARED_NUMBERS
            ):
                yield together
                together, held = [], 0
            together.append(users)
            held += numbers
        if together:
            yield together

    def _prepare(self, users: np.ndarray, generator: torch.Generator) -> Step:
        share = users[self.world.rank :: self.world.size]
        positions = int(self._positions(users).sum())
        if not len(share):  # a last batch of fewer users than processes
            return Step(positions, None, None)
        batch = self.reader.training_batch(share, self._skipped[share])
        return Step(positions, batch, self.objective.prepare(batch, generator))

    def _learn(self, step: Step) -> Tensor:
        """One step of the optimizer; returns the sum of losses, without waiting for it."""
        if self.optimizer.asks:
            self.optimizer.read(self.objective.items_read(step.batch, step.prepared))
        total = self._add_gradients(step)
        self.world.add_up(self.optimizer.gradient)
        self.optimizer.step()
        return total

    def _add_gradients(self, step: Step) -> Tensor:
        """Of this process's share of a batch; returns the sum of its losses."""
        if step.batch is None:
            return torch.zeros((), device=self.device)
        total = self.loss(step.batch, step.prepared)
        (total / step.positions).backward()
        return total.detach()

    def _defers(self) -> bool:
        """Whether a step reads so few items that most rows of their embeddings should wait.

        Several processes read other items than one another, and some objectives and scores read
        all items. By plain PyTorch the gradient of an embedding is an array of all its rows anyway.
        Decay, changing rates and averages concern every row at every step.
        """
        if self.params.weight_decay or self.schedule.changes or AVERAGES[self.params.average]:
            return False
        reads = None if self.model.score.reads_all else self.objective.reads
        if reads is None or not is_attached(self.model.inputs) or self.world.size > 1:
            return False
        slots = int(self._positions(self.users).sum()) * self.params.batch_size / len(self.users)
        return self.model.num_items >= DEFERRED_FROM * slots * (1 + reads)

    def _positions(self, users: np.ndarray) -> np.ndarray:
        """How many positions each of `users` is learnt from."""
        return np.minimum(self.reader.sequences.lengths[users] - 1, self.model.config.max_length)

    def _start(self, epoch: int) -> tuple[list[np.ndarray], torch.Generator]:
        """The epoch's batches and the generator of its negatives.

        Dropout is seeded too; windows are drawn, the same in all processes.
        """
        order = np.random.default_rng((self.params.seed, epoch))
        batches = epoch_batches(self.users, self.params.batch_size, order)
        lengths, most = self.reader.sequences.lengths, self.model.config.max_length
        windows = np.random.SeedSequence((self.params.seed, epoch)).spawn(1)[0]
        skip = WINDOWS[self.params.windows]
        self._skipped = skip(lengths, most, np.random.default_rng(windows))
        own = np.random.SeedSequence((self.params.seed, epoch, self.world.rank + 1))
        negatives, dropout = own.spawn(2)
        dropout_seed = int(dropout.generate_state(1, np.uint64)[0])
        self.model.dropout.reseed(dropout_seed)
        torch.manual_seed(dropout_seed)  # what dropout draws from on other devices
        generator = torch.Generator(self.device)
        generator.manual_seed(int(negatives.generate_state(1, np.uint64)[0] >> 1))
        return batches, generator


def _compiled(model: SASRec, device: torch.device) -> Callable[[Batch], Tensor]:
    """The model compiled; on CUDA by replayed graphs, so that no kernel waits for the host."""
    return torch.compile(model, mode="reduce-overhead" if device.type == "cuda" else "default")
