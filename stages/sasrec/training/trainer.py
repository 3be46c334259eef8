"""One epoch of training: what is learnt from its steps (steps.py), by Adam.

The same seed and number of threads give the same bytes on one CPU.
"""

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch, SequenceReader, TrainingBatch
from sasrec.kernels.drop_ins import is_attached
from sasrec.kernels.prepare import training_threads
from sasrec.machine.distributed import World
from sasrec.model.sasrec import SASRec
from sasrec.objectives.objective import Objective
from sasrec.training.averaging import AVERAGES
from sasrec.training.optimizer import DEFERRED_FROM, Optimizer
from sasrec.training.params import TrainParams
from sasrec.training.schedules import Schedule
from sasrec.training.steps import Step, Steps
from sasrec.training.trained_users import choose_users


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
        self.steps = Steps(self.users, objective, reader, model.dropout, params, world)
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
        self._forward = _compiled(model, self.device) if params.compile else model

    def run_epoch(self, epoch: int) -> EpochStats:
        """Learn once from every user. `epoch` counts from 1.

        Raises:
            UserError: the loss is NaN or infinite, or the optimizer does not see a gradient.
        """
        started = time.perf_counter()
        self.model.train()
        rates = self.schedule.of_epoch(epoch) if self.schedule.changes else None
        total = torch.zeros((), device=self.device)
        with training_threads(self.model, self.objective.loss):
            for steps in self.steps.of_epoch(epoch):
                while steps:  # none is held once it is done
                    if rates:
                        self.optimizer.set_rate(next(rates))
                    total += self._learn(steps.pop(0))
            self.optimizer.end_epoch()
        loss = self.world.add_up(total).item()
        interactions = self.steps.positions(self.users)
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
        slots = self.steps.positions(self.users) * self.params.batch_size / len(self.users)
        return self.model.num_items >= DEFERRED_FROM * slots * (1 + reads)


def _compiled(model: SASRec, device: torch.device) -> Callable[[Batch], Tensor]:
    """The model compiled; on CUDA by replayed graphs, so that no kernel waits for the host."""
    return torch.compile(model, mode="reduce-overhead" if device.type == "cuda" else "default")
