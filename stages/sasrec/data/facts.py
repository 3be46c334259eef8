"""dataset.json, what stages tell each other of a dataset: written and read, and compared.

Ids are numbers that a dataset gives by itself: item 5 of one is a stranger to another, also where
both have as many items. So each step that numbers or cuts leaves a fingerprint, a digest of what
it made; the next ones carry it on, and whoever brings two things together compares.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sasrec.base.errors import UserError
from sasrec.base.files import read_json_as, write_json

FILE = "dataset.json"
LENGTH = 16  # hexadecimal digits that are kept: chance never makes two of 64 bits equal


class DatasetFacts(BaseModel):
    """The dataset's name and sizes, as preprocess leaves it.

    Keys that are declared here are checked without conversion; others are kept and passed on.

    Attributes:
        time_unit: of the time stamps, None where there are none.
        fingerprint: of the interactions and of what their ids stand for.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    name: str
    num_users: int = Field(ge=1)
    num_items: int = Field(ge=1)
    num_interactions: int = Field(ge=1)
    has_ratings: bool
    has_timestamps: bool
    time_unit: Literal["s", "ms", "us", "ns"] | None
    fingerprint: str


class SplitFacts(DatasetFacts):
    """The same beside what split cuts, and in model.json, of what a model was trained on.

    Attributes:
        split: fingerprint of the cut: which interactions are trained on, which are targets.
    """

    split: str


def write_facts(folder: Path, facts: DatasetFacts) -> None:
    """Write dataset.json into `folder`."""
    write_json(folder / FILE, facts.model_dump())


def read_dataset_facts(folder: Path, stage: str) -> DatasetFacts:
    """dataset.json in `folder`, which `stage` wrote.

    Raises:
        UserError: it is missing or wrong.
    """
    return read_json_as(folder / FILE, DatasetFacts, stage)


def read_split_facts(folder: Path) -> SplitFacts:
    """dataset.json in one of the folders that split writes.

    Raises:
        UserError: it is missing or wrong.
    """
    return read_json_as(folder / FILE, SplitFacts, "split")


def check_same_data(
    known: SplitFacts, found: DatasetFacts, *, known_path: Path, found_path: Path, remedy: str
) -> None:
    """Raise UserError unless two things, such as a model and a split, are of the same data.

    Args:
        known: what the model or the training data in `known_path` is of.
        found: what `found_path` is of; the split counts only where this is of one.
        remedy: what to do.
    """
    kind = type(found)  # what both know
    if any(getattr(known, name) != getattr(found, name) for name in kind.model_fields):
        raise UserError(
            f"{known_path} is of other data than {found_path}: {_describe(known)}, and here "
            f"{_describe(found)}; {remedy}"
        )


def _describe(facts: DatasetFacts) -> str:
    split = f", split {facts.split[:6]}" if isinstance(facts, SplitFacts) else ""
    return (
        f"{facts.name} with {facts.num_users:,} users, {facts.num_items:,} items and "
        f"{facts.num_interactions:,} interactions (fingerprint {facts.fingerprint[:6]}{split})"
    )


def fingerprint(*parts: np.ndarray | Sequence[str] | str | None) -> str:
    """A digest of arrays (dtype, shape and content), texts and lists of texts, in their order."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            array = np.ascontiguousarray(part)
            state.update(f"{array.dtype.str}{array.shape}".encode())
            state.update(array.data)
        else:
            # As JSON, so that ["a", "b"] and ["ab"] differ.
            state.update(json.dumps(part).encode())
        state.update(b"\n")
    return state.hexdigest()[:LENGTH]


def fingerprint_of_interactions(
    name: str, user_ids: Sequence[str], item_ids: Sequence[str], *columns: np.ndarray
) -> str:
    """Of a dataset as preprocess numbers it.

    Args:
        name: of the dataset.
        user_ids, item_ids: the source's ids in the order of ours.
        columns: user, item, timestamp: one entry an interaction.
    """
    return fingerprint(name, user_ids, item_ids, *columns)


def fingerprint_of_split(dataset: str, items: np.ndarray, *cuts: np.ndarray) -> str:
    """Of a split of the dataset whose own fingerprint is `dataset`.

    Args:
        items: int32, of every interaction.
        cuts: where each user's training and history end, and who has targets. Candidates are left
            out: they change what a rank means, not what a model may know.
    """
    return fingerprint(dataset, items, *cuts)
