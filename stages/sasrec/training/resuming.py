"""A training that was interrupted goes on from its last checkpoint, and ends with the same bytes.

Every epoch starts its own generators (steps.py), so between epochs there is no more to keep than
weights, what the optimizer remembers of them, and what validation found.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.machine.distributed import World
from sasrec.ranking.validation import Validation
from sasrec.training.checkpoints import FOLDER, Checkpoints, Content, Identity
from sasrec.training.fitting import History, Progress
from sasrec.training.trainer import EpochStats, Trainer

UNFIT = f"the checkpoint does not fit this training: remove {FOLDER}"
BEST = "best."  # before the names of the best epoch's weights


class Facts(BaseModel):
    """What a checkpoint holds as JSON: a `Progress` without weights."""

    epochs: list[EpochStats]
    validations: dict[int, Validation]
    best_epoch: int
    refitted: list[EpochStats]


class Keeper:
    """Keeps checkpoints of a training, and gives it back what was kept of it. A watcher of epochs.

    Args:
        checkpoints: opened; of the first process, the only one that reads and writes.

    Attributes:
        progress: how far it has come.
    """

    def __init__(
        self, checkpoints: Checkpoints | None, world: World, report: Callable[[str], None]
    ) -> None:
        self._checkpoints = checkpoints
        self._world = world
        self._kept = ""  # in words
        content = checkpoints.read() if checkpoints else None
        self._tensors = content.tensors if content else {}
        found = _progress_in(content) if content else Progress()
        self.progress: Progress = world.from_first(found if world.is_first else None)
        self._to_restore = bool(self.progress.history.epochs)
        if checkpoints and self._to_restore:
            self._kept = _place(self.progress)
            report(
                f"going on after {self._kept} of a training that was interrupted "
                f"({checkpoints.path})"
            )

    def __call__(self, trainer: Trainer, progress: Progress) -> None:
        """After an epoch."""
        if self._checkpoints and self._checkpoints.write(_content_of(trainer, progress)):
            self._kept = _place(progress)

    def restore(self, trainer: Trainer) -> None:
        """Give a new trainer the state that was kept, if any was: once.

        Raises:
            UserError: the checkpoint is none of such a trainer.
        """
        if not self._to_restore:
            return
        self._to_restore = False
        wanted = _tensors_of(trainer, self.progress)
        if self._world.is_first:
            _check(self._tensors, wanted)
        held = {name: self._from_first(name, like) for name, like in wanted.items()}
        trainer.optimizer.load_state(held)
        self.progress.best_weights = {
            name.removeprefix(BEST): weight.clone()
            for name, weight in held.items()
            if name.startswith(BEST)
        }
        self._tensors = {}

    def how_to_go_on(self) -> str:
        """What the user can do who has interrupted it, as a half sentence."""
        if self._kept:
            return f"run the same command again, and it goes on after {self._kept}"
        return "no epoch was kept, so the same command starts anew"

    def _from_first(self, name: str, like: Tensor) -> Tensor:
        tensor = self._tensors[name] if self._world.is_first else torch.empty_like(like)
        return self._world.copy_from_first(tensor.to(like.device))


@contextmanager
def keeping(
    identity: Callable[[], Identity], world: World, report: Callable[[str], None]
) -> Iterator[Keeper]:
    """What keeps the training of the block, until the block ends well.

    Raises:
        KeyboardInterrupt: as the block, with a sentence on how to go on.
    """
    if not world.is_first:
        yield Keeper(None, world, report)
        return
    checkpoints = Checkpoints(identity(), report)
    with checkpoints.opened():
        keeper = Keeper(checkpoints, world, report)
        try:
            yield keeper
        except KeyboardInterrupt as stop:
            raise type(stop)(f"interrupted: {keeper.how_to_go_on()}") from None
        except OSError:  # the disk is full, say
            report(f"Mind: {keeper.how_to_go_on()}")
            raise
        checkpoints.remove()


@contextmanager
def of_processes() -> Iterator[None]:
    """For a block in which other processes train and keep: its KeyboardInterrupt says so."""
    try:
        yield
    except KeyboardInterrupt as stop:
        sentence = "run the same command again, and it goes on after the last epoch that was kept"
        raise type(stop)(f"interrupted: {sentence}") from None


def _tensors_of(trainer: Trainer, progress: Progress) -> dict[str, Tensor]:
    """The arrays of a checkpoint, by name; without values where they are to be restored."""
    tensors = trainer.optimizer.state()
    if progress.history.best_epoch and not progress.refitted:
        weights = progress.best_weights or trainer.model.state_dict()
        tensors |= {BEST + name: weight for name, weight in weights.items()}
    return tensors


def _check(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    shapes, expected = (
        {name: (tensor.shape, tensor.dtype) for name, tensor in one.items()}
        for one in (found, wanted)
    )
    if shapes != expected:
        raise UserError(UNFIT)


def _content_of(trainer: Trainer, progress: Progress) -> Content:
    facts = {**asdict(progress.history), "refitted": [asdict(one) for one in progress.refitted]}
    return Content(_tensors_of(trainer, progress), facts)


def _progress_in(content: Content) -> Progress:
    try:
        facts = Facts.model_validate(content.facts)
    except ValidationError:
        raise UserError(UNFIT) from None
    history = History(facts.epochs, facts.validations, facts.best_epoch)
    return Progress(history, refitted=facts.refitted)


def _place(progress: Progress) -> str:
    if progress.refitted:
        return f"epoch {len(progress.refitted)} of refitting"
    return f"epoch {len(progress.history.epochs)}"
