"""Models and batches small enough to work out by hand. Sizes are distinct primes where they may."""

import numpy as np
import torch
import yaml
from places import ROOT

from sasrec.batching.batches import Batch
from sasrec.batching.layout import Layout, lay_out, lay_out_dense
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import ModelConfig, SASRec
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
}

# Sequences, and ways to lay them out: end to end (None), or a row each of this width.
ROWS = [[5, 19, 2, 2, 23, 7, 11], [3, 1, 14, 8, 20], [9, 21, 4, 16], [13, 6], [17]]
LAYOUTS: dict[str, int | None] = {"end to end": None, "a row each": 7, "wide": MAX_LENGTH}

# What the model may have or lack, beside its variant.
OPTIONS = {
    "as published": {},
    "two heads": {"num_heads": 2},
    "a head a unit": {"num_heads": 6},
    "projection": {"output_projection": True, "num_heads": 2},
    "no residual": {"residual": False},
    "no position": {"position_embedding": False},
    "untied": {"tied_embedding": False},
    "no blocks": {"num_blocks": 0},
    "three blocks": {"num_blocks": 3},
}

TRAIN_PARAMS = TrainParams.model_validate(
    yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["train"]
    | {"batch_size": 3, "learning_rate": 0.01, "num_negatives": 2, "device": "cpu"}
)


def toy_config(**changes: object) -> ModelConfig:
    """A config without dropout; `changes` replace its keys."""
    values = {
        "variant": "paper",
        "hidden_size": 6,
        "num_blocks": 2,
        "num_heads": 1,
        "max_length": MAX_LENGTH,
        "dropout": 0.0,
        "output_projection": False,
        "position_embedding": True,
        "tied_embedding": True,
        "residual": True,
        "initialisation": "xavier_uniform",
    }
    return ModelConfig.model_validate(values | changes)


def toy_model(config: ModelConfig, seed: int = 1) -> SASRec:
    """A model in float64 and eval mode in which no weight, norm or bias keeps its first value."""
    model = SASRec(config, NUM_ITEMS, seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.add_(noise, alpha=0.4)
            if name in ("item_embedding.weight", "output_embedding.weight"):
                parameter[0] = 0
    return model


def toy_layout(lengths: list[int], width: int | None = None) -> Layout:
    """Sequences of `lengths` in order, end to end or a row of `width` each."""
    if width is None:
        return lay_out(np.array(lengths))
    return lay_out_dense(torch.tensor(lengths), width)


def toy_batch(rows: list[list[int]], width: int | None = None) -> Batch:
    """`rows` of items, a sequence each, oldest first, laid out as in `toy_layout`."""
    layout = toy_layout([len(row) for row in rows], width)
    items = torch.zeros(len(layout.real), dtype=torch.int64)
    for row, last in zip(rows, layout.last_slots.tolist(), strict=True):
        items[last + 1 - len(row) : last + 1] = torch.tensor(row)
    return Batch(items, layout)


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
