"""Trainers on datasets small enough to learn in a second."""

import numpy as np
import torch
from toys import TRAIN_PARAMS, toy_sequences

from sasrec.data.targets import Targets
from sasrec.model.sasrec import ModelConfig, SASRec
from sasrec.objectives.negatives import NegativeSampler
from sasrec.ranking.ranks import rank_targets
from sasrec.training.trainer import Trainer, TrainParams

CPU = torch.device("cpu")
CONFIG = {
    "variant": "official",
    "hidden_size": 6,
    "num_blocks": 2,
    "num_heads": 1,
    "max_length": 5,
    "dropout": 0.0,
    "output_projection": False,
    "position_embedding": True,
    "tied_embedding": True,
    "residual": True,
    "initialisation": "xavier_uniform",
}
PARAMS = TRAIN_PARAMS.model_dump() | {
    "epochs": 2,
    "batch_size": 4,
    "learning_rate": 0.01,
    "num_negatives": 1,
    "valid_every": 1,
    "patience": 3,
    "monitor": "sampled",
    "seed": 1,
    "device": "cpu",
    "precision": "float32",
}
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


def trainer_of(sequences=None, *, num_items=13, config=None, model_seed=1, **params):
    model = SASRec(ModelConfig(**CONFIG | (config or {})), num_items, seed=model_seed)
    sequences = sequences or toy_sequences(HISTORIES)
    return Trainer(model, sequences, TrainParams(**PARAMS | params), CPU)


def circle(num_items=11, count=101, length=6):
    """Each item is followed by the next one on a circle; with the targets that come next."""
    starts = np.arange(count) * 7 % num_items
    items = (starts[:, None] + np.arange(length)) % num_items + 1
    targets = (starts + length) % num_items + 1
    candidates = (targets[:, None] + np.arange(3)) % num_items + 1  # all of them unseen
    users = np.arange(1, count + 1)
    return toy_sequences(items), Targets(users, targets, candidates)


def hit_rate_at_one(trainer, targets):
    ranks = rank_targets(trainer.model, trainer.reader, targets)
    return (ranks.full == 1).mean()


def record_batches(trainer, monkeypatch):
    """What the trainer learns from: two lists that get the batch and the negatives of each step."""
    batches, drawn = [], []
    read, draw = trainer.reader.training_batch, NegativeSampler.draw

    def training_batch(users):
        batches.append(read(users))
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
