"""A trained model and what it is shown with: histories, targets, names."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.model.checkpoint import ModelDescription, load_model, read_description
from sasrec.model.needs import columns_in, model_needs
from sasrec.model.sasrec import SASRec
from sasrec.recommending.histories import (
    check_data_of_model,
    histories_before_test,
    popularity_in_training,
)
from sasrec.recommending.names import ItemNames, UserNames

MODEL, INTERACTIONS = Path("data/model"), Path("data/interactions")
TRAIN, TEST = Path("data/split/train"), Path("data/split/test")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Inside:
    """What lies in `folder`, a run's. Everything raises UserError where it cannot be read.

    Attributes:
        seed: of choices.
    """

    folder: Path
    seed: int

    @cached_property
    def description(self) -> ModelDescription:
        description = read_description(self.folder / MODEL)
        check_data_of_model(description, self.folder / MODEL, self.folder / INTERACTIONS)
        return description

    @cached_property
    def model(self) -> SASRec:
        return load_model(self.folder / MODEL, CPU)

    @cached_property
    def items(self) -> ItemNames:
        return ItemNames(self.folder / INTERACTIONS, self.description.num_items)

    @cached_property
    def users(self) -> UserNames:
        return UserNames(self.folder / INTERACTIONS, self.description.data.num_users)

    @cached_property
    def histories(self) -> Sequences:
        """Before the test targets."""
        return histories_before_test(self.description, self.folder / MODEL, self.folder / TEST)

    @cached_property
    def reader(self) -> SequenceReader:
        columns = columns_in(model_needs(self.model.config))
        length = self.model.config.max_length
        return SequenceReader(self.histories, length, CPU, layout="packed", columns=columns)

    @cached_property
    def targets(self) -> Targets:
        sizes = {"num_users": self.description.data.num_users}
        sizes["num_items"] = self.description.num_items
        return Targets.load(self.folder / TEST, **sizes)

    @cached_property
    def popularity(self) -> np.ndarray:
        """int64 [N + 1]: how often each item occurs in training."""
        return popularity_in_training(self.description, self.folder / MODEL, self.folder / TRAIN)

    def name_of(self, item: int) -> str:
        """Its title, or its raw id where that is not known."""
        return self.items.titles[item] or self.items.raw_ids[item]

    def chosen(self, among: np.ndarray, count: int) -> np.ndarray:
        """At most `count` of `among`, in their order."""
        generator = np.random.default_rng(self.seed)
        return np.sort(generator.choice(among, min(count, len(among)), replace=False))
