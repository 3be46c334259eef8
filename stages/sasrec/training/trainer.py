"""One epoch of training: random batches, new negatives, Adam.

The same seed and number of threads give the same bytes on one CPU: every epoch starts its own
generators from (seed, epoch), so nothing depends on what ran before.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.base.params import Section
from sasrec.batching.batches import Batch, SequenceReader, TrainingBatch, epoch_batches
from sasrec.data.sequences import Sequences
from sasrec.data.unseen import unseen_items
from sasrec.machine.distributed import World
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import binary_cross_entropy
from sasrec.objectives.negatives import NegativeSampler
from sasrec.training.deferred_adam import DeferredAdam
from sasrec.training.flat_parameters import check_flat, flatten_parameters
from sasrec.training.trained_users import choose_users

# So many batches are made in a row: what a step leaves in the caches slows the next one's making.
# Fewer where they hold more than so many numbers together, 8 bytes each.
PREPARED_AT_ONCE, PREPARED_NUMBERS = 32, 1 << 22
# Up to so many interactions the negatives of all users are prepared at once: 8 bytes each.
SAMPLED_AT_ONCE = 1 << 22
# Rows of the item embeddings wait (deferred_adam.py) in catalogues this many times the items that
# a step reads: about there it takes the same time as Adam over every row, beyond it less.
DEFERRED_FROM = 4
BETAS = (0.9, 0.98)  # Adam's; the authors' (model.py)


class TrainParams(Section):
    """The params section `train`."""

    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    num_negatives: int = Field(ge=1)
    valid_every: int = Field(ge=1)
    patience: int = Field(ge=1)
    monitor: Literal["sampled", "full"]
    seed: int = Field(ge=0, lt=1 << 32)
    device: Literal["auto", "cpu", "cuda", "mps"]
    processes: int = Field(ge=1)
    precision: Literal["float32", "bfloat16"]
    compile: bool


class Step(NamedTuple):
    """What one step of the optimizer learns from.

    Attributes:
        positions: of the whole batch, over all processes.
        batch: this process's share; None where it has none.
        negatives: int64 [T, K].
    """

    positions: int
    batch: TrainingBatch | None
    negatives: Tensor | None

    def items(self) -> Tensor:
        """int64 [(2 + K) T], all that is looked up."""
        return torch.cat((self.batch.inputs.items, self.batch.targets, self.negatives.view(-1)))


@dataclass(frozen=True)
class EpochStats:
    """What an epoch came to: mean loss a position, positions learnt from, wall time."""

    loss: float
    interactions: int
    seconds: float


class Trainer:
    """Trains `model` on `sequences`, an epoch at a time.

    Args:
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
        sequences: Sequences,
        params: TrainParams,
        device: torch.device,
        world: World = World(),  # noqa: B008, it is immutable
    ) -> None:
        self.model = model.to(device)
        self.params = params
        self.device = device
        self.world = world
        self.sequences = sequences
        self.users, self.left_out = choose_users(sequences, model.num_items)
        dense = params.compile or device.type != "cpu"
        self.reader = SequenceReader(sequences, model.config.max_length, device, dense=dense)
        waiting = {id(table) for table in self.model.item_tables} if self._defers(dense) else {}
        named = dict(self.model.named_parameters())
        self._deferred = [
            DeferredAdam(weight, learning_rate=params.learning_rate, betas=BETAS, name=name)
            for name, weight in named.items()
            if id(weight) in waiting
        ]
        self._flat = {name: weight for name, weight in named.items() if id(weight) not in waiting}
        self._weights = flatten_parameters(self._flat.values())
        self.optimizer = torch.optim.Adam(
            [self._weights], lr=params.learning_rate, betas=BETAS, fused=True
        )
        self._forward = _compiled(model, device) if params.compile else model
        # All users' unseen items are found at the start where they are few or wanted on a GPU;
        # else a batch's own when it is drawn, so that memory follows the batch.
        at_once = dense or len(sequences.items) <= SAMPLED_AT_ONCE
        self._sampler = self._sampler_for(np.arange(sequences.num_users + 1)) if at_once else None

    def run_epoch(self, epoch: int) -> EpochStats:
        """Learn once from every user. `epoch` counts from 1.

        Raises:
            UserError: the loss is NaN or infinite, or the optimizer does not see a gradient.
        """
        started = time.perf_counter()
        self.model.train()
        batches, generator = self._start(epoch)
        total = torch.zeros((), device=self.device)
        for together in self._prepared_together(batches):
            steps = [self._prepare(users, generator) for users in together]
            while steps:  # none is held once it is done
                total += self._learn(steps.pop(0))
        for adam in self._deferred:
            adam.catch_up()
        check_flat(self._weights, self._flat.items())
        loss = self.world.add_up(total).item()
        interactions = int(self._positions(self.users).sum())
        if not np.isfinite(loss):
            raise UserError(
                f"the loss of epoch {epoch} is {loss}: training diverged; "
                f"lower train.learning_rate = {self.params.learning_rate}"
            )
        return EpochStats(loss / interactions, interactions, time.perf_counter() - started)

    def loss(self, batch: TrainingBatch, negatives: Tensor) -> Tensor:
        """The sum of losses over the batch's real positions; `negatives` int64 [T, K]."""
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.params.precision == "bfloat16"
        ):
            states = self._forward(batch.inputs)
        return binary_cross_entropy(
            states.float(),
            embedding=self.model.scoring_embedding,
            targets=batch.targets,
            negatives=negatives,
        )

    def _prepared_together(self, batches: list[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """The batches in turn, as many at a time as are prepared at once."""
        each = 5 + self.params.num_negatives  # numbers a position, those of Step and its layout
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
        batch = self.reader.training_batch(share)
        negatives = self._draw_negatives(batch, generator)
        return Step(positions, batch, negatives)

    def _learn(self, step: Step) -> Tensor:
        """One step of the optimizer; returns the sum of losses, without waiting for it."""
        for adam in self._deferred:
            adam.read(step.items())
        total = self._add_gradients(step)
        self.world.add_up(self._weights.grad)
        self.optimizer.step()
        self._weights.grad.zero_()
        for adam in self._deferred:
            adam.step()
        return total

    def _add_gradients(self, step: Step) -> Tensor:
        """Of this process's share of a batch; returns the sum of its losses."""
        if step.batch is None:
            return torch.zeros((), device=self.device)
        total = self.loss(step.batch, step.negatives)
        (total / step.positions).backward()
        return total.detach()

    def _draw_negatives(self, batch: TrainingBatch, generator: torch.Generator) -> Tensor:
        """int64 [T, K]; arbitrary items at padding."""
        rows = batch.inputs.layout.sequences
        if self._sampler is None:
            sampler = self._sampler_for(batch.users.numpy())
        else:
            sampler, rows = self._sampler, batch.users[rows]
        return sampler.draw(rows[:, None].expand(-1, self.params.num_negatives), generator)

    def _sampler_for(self, users: np.ndarray) -> NegativeSampler:
        unseen = unseen_items(self.sequences, users, self.model.num_items)
        return NegativeSampler.build(unseen, self.device)

    def _defers(self, dense: bool) -> bool:
        """Whether a step reads so few items that most rows of their embeddings should wait.

        Several processes read other items than one another, and fixed shapes have no such set.
        """
        if dense or self.world.size > 1:
            return False
        slots = int(self._positions(self.users).sum()) * self.params.batch_size / len(self.users)
        read = slots * (2 + self.params.num_negatives)  # inputs, targets, negatives
        return self.model.num_items >= DEFERRED_FROM * read

    def _positions(self, users: np.ndarray) -> np.ndarray:
        """How many positions each of `users` is learnt from."""
        return np.minimum(self.sequences.lengths[users] - 1, self.model.config.max_length)

    def _start(self, epoch: int) -> tuple[list[np.ndarray], torch.Generator]:
        """The epoch's batches and the generator of its negatives; dropout is seeded too."""
        order = np.random.default_rng((self.params.seed, epoch))
        batches = epoch_batches(self.users, self.params.batch_size, order)
        own = np.random.SeedSequence((self.params.seed, epoch, self.world.rank + 1))
        negatives, dropout = own.spawn(2)
        dropout_seed = int(dropout.generate_state(1, np.uint64)[0])
        self.model.noise.reseed(dropout_seed)
        torch.manual_seed(dropout_seed)  # what dropout draws from on other devices
        generator = torch.Generator(self.device)
        generator.manual_seed(int(negatives.generate_state(1, np.uint64)[0] >> 1))
        return batches, generator


def _compiled(model: SASRec, device: torch.device) -> Callable[[Batch], Tensor]:
    """The model compiled; on CUDA by replayed graphs, so that no kernel waits for the host."""
    return torch.compile(model, mode="reduce-overhead" if device.type == "cuda" else "default")
