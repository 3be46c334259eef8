"""Models and batches small enough to work out by hand. Sizes are distinct primes where they may."""

import math
from collections.abc import Callable
from dataclasses import replace

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
from sasrec.model.known import Known
from sasrec.model.sasrec import SASRec
from sasrec.model.tables import ATTENTIONS, FEED_FORWARDS, INPUTS, POSITIONS, SCORES, VARIANTS
from sasrec.model.time_gap import NOT_KNOWN
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.params import TrainParams

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

# Each row of each table of parts, by the key of params.yaml that names it.
TABLES = {
    "variant": VARIANTS,
    "attention": ATTENTIONS,
    "feed_forward": FEED_FORWARDS,
    "position": POSITIONS,
    "score": SCORES,
}
ROWS_OF_TABLES = {f"{key}: {name}": {key: name} for key, table in TABLES.items() for name in table}
# Each input beside the item, alone and all together.
INPUT_ROWS = {f"inputs: {name}": {"inputs": ["item", name]} for name in INPUTS if name != "item"}
INPUT_ROWS["inputs: all"] = {"inputs": list(INPUTS)}
EVERY_ROW = ROWS_OF_TABLES | INPUT_ROWS

# What is known of items and interactions: names of genres, the least rating of each level, and
# ratings by the remainder of an item.
GENRES = ("Action", "Comedy", "Drama", "Horror", "Musical")
LEVELS = (1.0, 2.0, 3.5)
RATINGS = (math.nan, 0.5, 2.0, 3.0, 3.5, 5.0)

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
    model = SASRec(config, NUM_ITEMS, seed, toy_known()).double().eval()
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
    return Batch(items, where, toy_columns(items, where))


def genres_of(item: int) -> list[int]:
    """Numbers of genres from 0, of none for every fourth item."""
    return [(item + 2 * number) % len(GENRES) for number in range(item % 4)]


def toy_known(num_items: int = NUM_ITEMS) -> Known:
    """What a model is told of these items and ratings."""
    table = np.zeros((num_items + 1, 3), np.int32)
    for item in range(1, num_items + 1):
        genres = genres_of(item)
        table[item, : len(genres)] = np.array(genres, np.int32) + 1
    return Known(LEVELS, GENRES, table)


def rating_of(item: int) -> float:
    return RATINGS[item % len(RATINGS)]


def time_of(item: int, position: int) -> int:
    """Of an interaction with so many after it; that with item 14 is not known."""
    return NOT_KNOWN if item == 14 else 10**6 - 1000 * position + 37 * item % 900


def toy_columns(items: torch.Tensor, layout: Layout) -> dict[str, torch.Tensor]:
    """Ratings and times of `items` [T], whatever stands at padding."""
    pairs = list(zip(items.tolist(), layout.positions.tolist(), strict=True))
    return {
        "rating": torch.tensor([rating_of(item) for item, _ in pairs], dtype=torch.float32),
        "timestamp": torch.tensor([time_of(*pair) for pair in pairs]),
    }


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


def toy_rated(sequences: Sequences) -> Sequences:
    """The same with the ratings of its items, and times that rise."""
    ratings = [rating_of(item) for item in sequences.items.tolist()]
    times = np.arange(len(ratings), dtype=np.int64)
    columns = {"rating": np.array(ratings, np.float32), "timestamp": times}
    return replace(sequences, columns=columns)
