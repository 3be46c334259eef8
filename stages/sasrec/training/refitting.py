"""Refitting: training once more, from the start, on validation's targets too.

Validation says how many epochs to train. After that it is spent, and its targets, a user's latest
items before the test, are worth learning from. Nothing measures the model that comes of it but the
test; what validation measured is the model before.
"""

from collections.abc import Callable, Sequence

import numpy as np

from sasrec.base.errors import UserError
from sasrec.data.sequences import NAMES, Sequences
from sasrec.data.targets import Targets
from sasrec.model.needs import Needs, columns_in
from sasrec.training.fitting import Progress, Watcher, copy_weights
from sasrec.training.trainer import EpochStats, Trainer


def check_refit(needs: Needs) -> None:
    """Raise UserError if a column is needed of validation's targets, of which there are none."""
    columns = columns_in(needs)
    if columns:
        raise UserError(
            f"train.refit = true is for what learns from items alone: {needs[columns[0]]} needs "
            f"{NAMES[columns[0]]}, which split does not keep of validation's targets"
        )


def with_targets(sequences: Sequences, targets: Targets) -> Sequences:
    """`sequences`, those of the targets' users with the target at their end; without columns."""
    ends = sequences.offsets[targets.users + 1]
    more = np.zeros_like(sequences.offsets)
    more[targets.users + 1] = 1
    items = np.insert(sequences.items, ends, targets.items)
    return Sequences(sequences.offsets + more.cumsum(), items)


def refit(
    trainer: Trainer,
    progress: Progress,
    report: Callable[[str], None],
    watchers: Sequence[Watcher] = (),
) -> EpochStats:
    """Train a new `trainer` for the epochs that validation chose for another like it.

    Learning rates fall as they did there, over `train.epochs`. The model ends with the weights
    that would have been validated after the last epoch, of which the stats are returned. `report`
    is given a line an epoch.

    Args:
        progress: of the other one; and where to go on, with a trainer that has come as far.
    """
    epochs, progress.best_weights = progress.history.best_epoch, {}
    for epoch in range(len(progress.refitted) + 1, epochs + 1):
        stats = trainer.run_epoch(epoch)
        progress.refitted.append(stats)
        report(
            f"refit, epoch {epoch:>{len(str(epochs))}}/{epochs}  loss {stats.loss:.4f}  "
            f"{stats.seconds:.2f} s"
        )
        for watch in watchers:
            watch(trainer, progress)
    with trainer.averaged():
        weights = copy_weights(trainer.model)
    trainer.model.load_state_dict(weights)
    return progress.refitted[-1]
