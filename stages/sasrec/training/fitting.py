"""Training until validation stops improving, keeping the best epoch."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from sasrec.model.sasrec import SASRec
from sasrec.ranking.validation import Validation
from sasrec.training.trainer import EpochStats, Trainer

MONITORED = "NDCG@10"


@dataclass
class History:
    """What happened, epoch by epoch.

    Attributes:
        epochs: of each epoch, from 1.
        validations: by epoch; only every `valid_every`-th epoch is validated.
        best_epoch: the epoch whose weights were kept.
    """

    epochs: list[EpochStats] = field(default_factory=list)
    validations: dict[int, Validation] = field(default_factory=dict)
    best_epoch: int = 0

    @property
    def best(self) -> Validation:
        return self.validations[self.best_epoch]

    @property
    def seconds_per_epoch(self) -> float:
        """The median over epochs, in seconds, validation left out."""
        return statistics.median(epoch.seconds for epoch in self.epochs)

    @property
    def interactions_per_second(self) -> float:
        return self.epochs[0].interactions / self.seconds_per_epoch


@dataclass
class Progress:
    """How far a training has come: what is needed beside the optimizer's state to go on.

    Attributes:
        best_weights: of the best epoch so far; empty before there is one, and while refitting.
        refitted: of each epoch of refitting (refitting.py).
    """

    history: History = field(default_factory=History)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    refitted: list[EpochStats] = field(default_factory=list)


# Called after an epoch, of training and of refitting.
Watcher = Callable[[Trainer, Progress], None]


def fit(
    trainer: Trainer,
    validate: Callable[[], Validation],
    report: Callable[[str], None],
    progress: Progress | None = None,
    watchers: Sequence[Watcher] = (),
) -> History:
    """Train for at most `epochs`; stop after `patience` validations without a gain.

    The trainer's model ends with the weights of the best epoch by validation NDCG@10, in the
    protocol that `train.monitor` names. With `train.average`, averaged weights are validated and
    kept, while training goes on from the others. `report` is given a line an epoch. Of several
    processes the first validates for all, so that they stop together.

    Args:
        progress: where to go on, with a trainer that has come as far; None: from the start.
    """
    params, world = trainer.params, trainer.world
    progress = progress or Progress()
    history = progress.history
    before, started = len(history.epochs), time.perf_counter()
    while not (_gains_ended(history, params.patience) or len(history.epochs) == params.epochs):
        epoch = len(history.epochs) + 1
        history.epochs.append(trainer.run_epoch(epoch))
        if epoch % params.valid_every == 0 or epoch == params.epochs:
            with trainer.averaged():
                validation = world.from_first(validate() if world.is_first else None)
                history.validations[epoch] = validation
                if _is_best(history, epoch, params.monitor):
                    history.best_epoch = epoch
                    progress.best_weights = copy_weights(trainer.model)
        seconds = (time.perf_counter() - started) / (epoch - before)
        report(_line(history, epoch, params.epochs, seconds * (params.epochs - epoch)))
        for watch in watchers:
            watch(trainer, progress)
    if _gains_ended(history, params.patience):
        report(f"stopped: no gain in validation {MONITORED} for {params.patience} validations")
    trainer.model.load_state_dict(progress.best_weights)
    return history


def copy_weights(model: SASRec) -> dict[str, Tensor]:
    """As `load_state_dict` takes them, whatever becomes of the model."""
    return {name: weight.clone() for name, weight in model.state_dict().items()}


def _monitored(validation: Validation, monitor: str) -> float:
    return getattr(validation, monitor)[MONITORED]


def _is_best(history: History, epoch: int, monitor: str) -> bool:
    if not history.best_epoch:
        return True
    now = _monitored(history.validations[epoch], monitor)
    return now > _monitored(history.best, monitor)


def _gains_ended(history: History, patience: int) -> bool:
    later = [epoch for epoch in history.validations if epoch > history.best_epoch]
    return bool(history.best_epoch) and len(later) >= patience


def _line(history: History, epoch: int, epochs: int, seconds_left: float) -> str:
    stats = history.epochs[-1]
    parts = [f"epoch {epoch:>{len(str(epochs))}}/{epochs}", f"loss {stats.loss:.4f}"]
    validation = history.validations.get(epoch)
    if validation:
        parts += [
            f"valid loss {validation.loss:.4f}",
            "sampled NDCG@10 {NDCG@10:.4f} HR@10 {HR@10:.4f}".format(**validation.sampled),
            "full NDCG@10 {NDCG@10:.4f} HR@10 {HR@10:.4f}".format(**validation.full),
        ]
    minutes, seconds = divmod(round(seconds_left), 60)
    rate = stats.interactions / stats.seconds
    parts += [
        f"{stats.seconds:.2f} s",
        f"{rate:,.0f} interactions/s",
        f"best {history.best_epoch or '-'}",
        f"at most {minutes}:{seconds:02d} left",
    ]
    return "  ".join(parts)
