"""What stages tell each other of a dataset: source.json of download, dataset.json of preprocess."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from sasrec.files import read_json_as


class Facts(BaseModel):
    """Base: declared keys are checked without conversion; other keys are kept and passed on."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class SourceFacts(Facts):
    """source.json: what download fetched, and from where."""

    dataset: str
    origin: str
    sha256: dict[str, str]


class DatasetFacts(Facts):
    """dataset.json: the dataset's name and sizes; split copies it beside what it cuts."""

    name: str
    num_users: int = Field(ge=1)
    num_items: int = Field(ge=1)
    num_interactions: int = Field(ge=1)
    has_ratings: bool
    has_timestamps: bool


def read_dataset_facts(folder: Path, stage: str) -> DatasetFacts:
    """dataset.json in `folder`, which `stage` wrote.

    Raises:
        UserError: it is missing or wrong.
    """
    return read_json_as(folder / "dataset.json", DatasetFacts, stage)
