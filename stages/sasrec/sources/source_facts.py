"""source.json, what download tells of the files that it got: written and read."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from sasrec.base.files import read_json_as, write_json

FILE = "source.json"


class SourceFacts(BaseModel):
    """What was fetched, and from where; nothing of when, or through which mirror.

    Attributes:
        sha256: of each file, by its name.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    dataset: str
    origin: str
    sha256: dict[str, str]
    licence: str | None = None
    citation: str | None = None


def write_source_facts(folder: Path, facts: SourceFacts) -> None:
    write_json(folder / FILE, facts.model_dump())


def read_source_facts(folder: Path) -> SourceFacts:
    """What download wrote into `folder`.

    Raises:
        UserError: it is missing or wrong.
    """
    return read_json_as(folder / FILE, SourceFacts, stage="download")
