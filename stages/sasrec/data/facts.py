"""dataset.json, what stages tell each other of a dataset: written and read, and compared."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sasrec.base.errors import UserError
from sasrec.base.files import read_json_as, write_json

FILE = "dataset.json"


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
