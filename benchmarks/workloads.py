"""What the benchmarks measure: datasets in the shape of MovieLens-1M and of Amazon Games.

Speed depends on the number of users and items and on the lengths of histories, not on which items
they hold, so a benchmark runs on invented data of the same shape, or on the authors' files.
"""

import sys
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "stages"))
import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import torch

from sasrec.base.errors import UserError
from sasrec.data.sequences import Sequences
from sasrec.model.config import ModelConfig
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.building import build
from sasrec.training.memory_need import Settings
from sasrec.training.params import TrainParams
from sasrec.training.trainer import Trainer

# What params.yaml has, section by section: valid values for all keys.
SECTIONS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Workload:
    """A dataset (all interactions) and the paper's settings for it."""

    name: str
    whole: Sequences
    num_items: int
    max_length: int
    dropout: float

    @property
    def train(self) -> Sequences:
        """Everything but each user's last two items (users with fewer than three keep all)."""
        return self._without_last(2)

    @property
    def histories(self) -> Sequences:
        """Everything but each user's last item, the test target."""
        return self._without_last(1)

    def _without_last(self, count: int) -> Sequences:
        lengths = self.whole.lengths
        kept = np.where(lengths >= 3, lengths - count, lengths)
        position = np.arange(len(self.whole.items)) - np.repeat(self.whole.offsets[:-1], lengths)
        inside = position < np.repeat(kept, lengths)
        offsets = np.concatenate([[0], np.cumsum(kept)])
        return Sequences(offsets, self.whole.items[inside])

    def config(self, **changes: object) -> ModelConfig:
        """The paper's model for this dataset."""
        own = {"variant": "official", "max_length": self.max_length, "dropout": self.dropout}
        return ModelConfig.model_validate(SECTIONS["model"] | own | changes)


def params_with(settings: dict[str, Any]) -> dict[str, Any]:
    """All sections of params.yaml with `settings`, which have keys as `dvc exp run -S` takes them.

    Raises:
        UserError: params.yaml has no such key.
    """
    params = deepcopy(SECTIONS)
    for key, value in settings.items():
        *path, name = key.split(".")
        section: Any = params
        for part in path:
            section = section.get(part) if isinstance(section, dict) else None
        if not isinstance(section, dict) or name not in section:
            raise UserError(f"params.yaml has no key {key}")
        section[name] = value
    return params


def train_params(device: str, **changes: object) -> TrainParams:
    """The paper's training, on `device`."""
    return TrainParams.model_validate(SECTIONS["train"] | {"device": device} | changes)


def build_trainer(
    config: ModelConfig,
    sequences: Sequences,
    num_items: int,
    params: TrainParams,
    device: torch.device,
) -> Trainer:
    """A trainer with the paper's objective; prints what computes it."""
    objective = ObjectiveParams.model_validate(SECTIONS["objective"])
    return build(Settings(config, objective, params), sequences, num_items, device)


def from_file(name: str, path: Path, max_length: int, dropout: float) -> Workload:
    """One of the authors' files: a line `user item` an interaction."""
    table = np.loadtxt(path, dtype=np.int32)
    num_users, num_items = (int(largest) for largest in table.max(0))
    sequences = Sequences.from_interactions(table[:, 0], table[:, 1], num_users)
    return Workload(name, sequences, num_items, max_length, dropout)


def invented(
    name: str,
    *,
    num_users: int,
    num_items: int,
    mean_length: float,
    spread: float,
    shortest: int,
    max_length: int,
    dropout: float,
) -> Workload:
    """Log-normal lengths of histories with this mean (`spread`: sd of the log), uniform items."""
    generator = np.random.default_rng(0)
    location = np.log(mean_length - shortest) - spread**2 / 2
    lengths = shortest + generator.lognormal(location, spread, num_users).astype(np.int64)
    lengths = np.minimum(lengths, num_items // 2)
    offsets = np.concatenate([[0, 0], np.cumsum(lengths)])
    items = generator.integers(1, num_items + 1, offsets[-1], dtype=np.int32)
    return Workload(name, Sequences(offsets, items), num_items, max_length, dropout)


def movielens(path: Path | None) -> Workload:
    """ML-1M: 6,040 users, 3,416 items, 165.5 interactions a user."""
    if path:
        return from_file("ML-1M", path, 200, 0.2)
    shape = {"num_users": 6040, "num_items": 3416, "mean_length": 165.5}
    return invented("like ML-1M", **shape, spread=1.1, shortest=17, max_length=200, dropout=0.2)


def games(path: Path | None) -> Workload:
    """Games: 31,013 users, 23,715 items, 9.3 interactions a user."""
    if path:
        return from_file("Games", path, 50, 0.5)
    shape = {"num_users": 31013, "num_items": 23715, "mean_length": 9.26}
    return invented("like Games", **shape, spread=1.1, shortest=4, max_length=50, dropout=0.5)
