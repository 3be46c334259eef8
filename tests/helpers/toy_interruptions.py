"""Toy trainings that are interrupted after an epoch, and go on."""

from functools import partial

import torch
from toy_training import trainer_of

from sasrec.machine.distributed import World
from sasrec.ranking.validation import Validation
from sasrec.training.fitting import fit
from sasrec.training.refitting import refit
from sasrec.training.resuming import keeping

IDENTITY = {"parameters": "0123", "data": "4567", "code": "89ab"}


def validate(model):
    """Metrics that any change of a weight changes."""
    weights = torch.cat([weight.detach().reshape(-1) for weight in model.parameters()])
    score = (weights.double() * torch.arange(len(weights))).sin().mean().item()
    metrics = {"HR@10": 1.0, "NDCG@10": score, "MRR": 0.5}
    return Validation(loss=1 - score, sampled=metrics, full=metrics)


def train(stop=None, *, refits=False, identity=IDENTITY, world=World(), settings=None):  # noqa: B008
    """Train as the stage does; returns the trainer, its progress, and what was reported.

    Args:
        stop: the epoch after which it is interrupted, of training or of refitting, counted on.
        settings: of the trainer.
    """
    lines = []
    with keeping(lambda: identity, world, lines.append) as keeper:
        progress = keeper.progress

        def interrupt(_trainer, progress):
            if len(progress.history.epochs) + len(progress.refitted) == stop:
                raise KeyboardInterrupt

        trainer, watchers = trainer_of(**settings or {}), [keeper, interrupt]
        trainer.world = world
        if not progress.refitted:
            keeper.restore(trainer)
            fit(trainer, partial(validate, trainer.model), lines.append, progress, watchers)
        if refits:
            trainer = trainer_of(**settings or {})
            keeper.restore(trainer)
            refit(trainer, progress, lines.append, watchers)
    return trainer, progress, lines


def state_of(trainer, progress):
    """All that a training comes to, but how long it took."""
    losses = [one.loss for one in (*progress.history.epochs, *progress.refitted)]
    weights = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}
    state = {name: tensor.clone() for name, tensor in trainer.optimizer.state().items()}
    return losses, progress.history.validations, progress.history.best_epoch, weights | state
