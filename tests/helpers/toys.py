"""Models and batches small enough to work out by hand. Sizes are distinct primes where they may."""

from collections.abc import Callable

import numpy as np
import torch
import yaml
from places import ROOT

from sasrec.batching.batches import Batch
from sasrec.batching.layout import (
    Layout,
    lay_out_fixed,
    lay_out_grouped,
    lay_out_packed,
)
from sasrec.data.sequences import Sequences
from sasrec.model.config import ModelConfig
from sasrec.model.sasrec import SASRec
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.trainer import TrainParams

NUM_ITEMS = 23
MAX_LENGTH = 11

# What model.json tells beside what rebuilds a model.
DESCRIPTION = {
    "best_epoch": 7,
    "data": {
        "name": "toy",
        "num_users": 5,
        "num_items": NUM_ITEMS,
        "num_interactions": 19,
        "has_ratings": False,
        "has_timestamps": True,
        "time_unit": "s",
        "fingerprint": "0123456789abcdef",
        "split": "fedcba9876543210",
    },
    "filter_seen": True,
    "kernels": "auto",
}

# Sequences, the longest first, and ways to lay them out.
ROWS = [[5, 19, 2, 2, 23, 7, 11], [3, 1, 14, 8, 20], [9, 21, 4, 16], [13, 6], [17]]
LAYOUTS: dict[str, Callable[[np.ndarray], Layout]] = {
    "packed": lay_out_packed,
    "grouped": lay_out_grouped,
    "fixed": lambda lengths: lay_out_fixed(torch.from_numpy(lengths), int(max(lengths))),
    "wide": lambda lengths: lay_out_fixed(torch.from_numpy(lengths), MAX_LENGTH),
}

# What the model may have or lack, beside its variant.
OPTIONS = {
    "as published": {},
    "two heads": {"num_heads": 2},
    "a head a unit": {"num_heads": 6},
    "projection": {"output_projection": True, "num_heads": 2},
    "no residual": {"residual": False},
    "untied": {"tied_embedding": False},
    "no blocks": {"num_blocks": 0},
    "three blocks": {"num_blocks": 3},
}

# What params.yaml has, section by section: the one place with valid values for all keys.
SECTIONS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


def toy_config(**changes: object) -> ModelConfig:
    """A small model without dropout; `changes` replace its keys."""
    small = {"hidden_size": 6, "max_length": MAX_LENGTH, "dropout": 0.0}
    return ModelConfig.model_validate(SECTIONS["model"] | small | changes)


def toy_objective_params(**changes: object) -> ObjectiveParams:
    """The params section `objective`, with two negatives; `changes` replace its keys."""
    return ObjectiveParams.model_validate(SECTIONS["objective"] | {"num_negatives": 2} | changes)


def toy_train_params(**changes: object) -> TrainParams:
    """The params section `train`, for small batches; `changes` replace its keys."""
    small = {"batch_size": 3, "learning_rate": 0.01, "device": "cpu"}
    return TrainParams.model_validate(SECTIONS["train"] | small | changes)


def toy_model(config: ModelConfig, seed: int = 1) -> SASRec:
    """A model in float64 and eval mode in which no weight, norm or bias keeps its first value."""
    model = SASRec(config, NUM_ITEMS, seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(noise, alpha=0.4)
        for table in model.item_tables:
            table[0] = 0
    return model


def toy_batch(rows: list[list[int]], layout: str = "packed") -> Batch:
    """`rows` of items, a sequence each, oldest first, laid out as LAYOUTS says."""
    where = LAYOUTS[layout](np.array([len(row) for row in rows]))
    items = torch.zeros(len(where.real), dtype=torch.int64)
    for row, last in zip(rows, where.last_slots.tolist(), strict=True):
        items[last + 1 - len(row) : last + 1] = torch.tensor(row)
    return Batch(items, where)


def by_row(values: torch.Tensor, batch: Batch) -> list[torch.Tensor]:
    """The real positions of each sequence, from `values` [T, ...]."""
    layout = batch.layout
    return [
        values[(layout.sequences == number) & layout.real] for number in range(len(layout.lengths))
    ]


def toy_sequences(rows: list[list[int]]) -> Sequences:
    """Users 1, 2, ... with these items."""
    users = np.repeat(np.arange(1, len(rows) + 1), [len(row) for row in rows])
    items = np.array([item for row in rows for item in row], np.int32)
    return Sequences.from_interactions(users, items, len(rows))
