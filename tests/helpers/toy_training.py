"""Trainers on datasets small enough to learn in a second."""

import numpy as np
import torch
from toys import (
    toy_config,
    toy_known,
    toy_objective_params,
    toy_sequences,
    toy_train_params,
)

from sasrec.batching.batches import SequenceReader
from sasrec.data.targets import Targets
from sasrec.kernels.drop_ins import attach
from sasrec.kernels.prepare import layout_for
from sasrec.kernels.tables import DROP_INS
from sasrec.machine.distributed import World
from sasrec.model.sasrec import SASRec
from sasrec.objectives.negatives import NegativeSampler
from sasrec.objectives.objective import build_objective
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores
from sasrec.training.trainer import Trainer

CPU = torch.device("cpu")
CONFIG = {"variant": "official", "hidden_size": 6, "max_length": 5, "dropout": 0.0}
PARAMS = {"epochs": 2, "batch_size": 4, "patience": 3}
# Users of 1, 2, 3, 9, 4, 0 and 7 items.
HISTORIES = (
    [3],
    [5, 2],
    [7, 7, 1],
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    [9, 3, 9, 13],
    [],
    [11, 2, 12, 4, 1, 8, 10],
)


def trainer_of(
    sequences=None,
    *,
    num_items=13,
    config=None,
    objective=None,
    model_seed=1,
    loops=True,
    world=World(),  # noqa: B008, it is immutable
    **params,
):
    """A trainer on the CPU, as stages/train.py makes one; `params` are keys of `train`."""
    config = toy_config(**CONFIG | (config or {}))
    model = SASRec(config, num_items, model_seed, toy_known(num_items))
    sequences = sequences or toy_sequences(HISTORIES)
    values = toy_objective_params(**{"num_negatives": 1} | (objective or {}))
    settings = toy_train_params(**PARAMS | params)
    size = config.hidden_size
    what = build_objective(values, sequences, num_items, CPU, hidden_size=size)
    plain = settings.kernels == "plain" or settings.precision != "float32" or settings.compile
    if loops and not plain:
        attach(DROP_INS, model, what)
    layout = layout_for(model, compiled=settings.compile)
    reader = SequenceReader(sequences, model.config.max_length, CPU, layout=layout)
    return Trainer(model, what, reader, settings, world)


def circle(num_items=11, count=101, length=6):
    """Each item is followed by the next one on a circle; with the targets that come next."""
    starts = np.arange(count) * 7 % num_items
    items = (starts[:, None] + np.arange(length)) % num_items + 1
    targets = (starts + length) % num_items + 1
    candidates = (targets[:, None] + np.arange(3)) % num_items + 1  # all of them unseen
    users = np.arange(1, count + 1)
    return toy_sequences(items), Targets(users, targets, candidates)


def hit_rate_at_one(trainer, targets):
    ranks = rank_targets(ModelScores(trainer.model, trainer.reader), targets)
    return (ranks.full == 1).mean()


def record_batches(trainer, monkeypatch):
    """What the trainer learns from: two lists that get the batch and the negatives of each step."""
    batches, drawn = [], []
    read, draw = trainer.reader.training_batch, NegativeSampler.draw

    def training_batch(users, *skipped):
        batches.append(read(users, *skipped))
        return batches[-1]

    def recorded_draw(self, rows, generator):
        drawn.append(draw(self, rows, generator))
        return drawn[-1]

    monkeypatch.setattr(trainer.reader, "training_batch", training_batch)
    monkeypatch.setattr(NegativeSampler, "draw", recorded_draw)
    return batches, drawn


def as_rows(batch, negatives, max_length):
    """Inputs, targets and negatives as lists, a row a user, straight from HISTORIES."""
    inputs, targets, row_negatives = [], [], []
    for row, user in enumerate(batch.users.tolist()):
        history = HISTORIES[user - 1][-max_length - 1 :]
        inputs.append(history[:-1])
        targets.append(history[1:])
        slots = (batch.inputs.layout.sequences == row) & batch.inputs.layout.real
        row_negatives.append(negatives[slots].tolist())
    return inputs, targets, row_negatives
