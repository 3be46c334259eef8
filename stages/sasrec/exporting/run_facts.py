"""What the stages left about a run, gathered for its model card; all of it of one model."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sasrec.base.errors import UserError
from sasrec.base.files import read_json
from sasrec.model.checkpoint import ModelDescription, digest_of, read_description
from sasrec.sources.source_facts import SourceFacts, read_source_facts

MODEL, RAW, METRICS = Path("data/model"), Path("data/raw"), Path("metrics")
RANKED = Path("data/evaluation/model.json")  # which model evaluate ranked by
EVALUATE = "run `python stages/evaluate.py` first"
PACKAGES = ("torch", "numpy")
# The keys that the card looks up.
NEEDED = {
    "data": ("sequence_length", "density", "dropped"),
    "train_details": ("best_epoch", "epochs", "valid"),
    "test_details": ("full",),
    "intervals": ("full",),
    "baselines": (),
}
STAGES = {"data": "preprocess", "train_details": "train"}  # the others are evaluate's


@dataclass(frozen=True)
class RunFacts:
    """A run as its files tell it.

    Attributes:
        description: model.json.
        source: data/raw/source.json.
        data, training, test, intervals, baselines: the files of metrics/.
        versions: of Python and packages, here and now.
    """

    description: ModelDescription
    source: SourceFacts
    data: dict[str, Any]
    training: dict[str, Any]
    test: dict[str, Any]
    intervals: dict[str, Any]
    baselines: dict[str, Any]
    versions: dict[str, str]

    @property
    def protocols(self) -> list[str]:
        """Those of the test that have intervals: sampled among so many, and full."""
        return [name for name in self.test if name in self.intervals]


def read_run() -> RunFacts:
    """Read the run in the working directory.

    Raises:
        UserError: a file is missing or not as a stage writes it, or is of another run.
    """
    description = read_description(MODEL)
    files = {name: _metrics(name) for name in NEEDED}
    _check_one_run(description, files)
    source = read_source_facts(RAW)
    if source.dataset != description.data.name:
        raise UserError(
            f"{RAW} holds {source.dataset}, {MODEL} is of {description.data.name}: run `dvc repro`"
        )
    versions = {"python": platform.python_version()} | {name: version(name) for name in PACKAGES}
    return RunFacts(
        description,
        source,
        files["data"],
        files["train_details"],
        files["test_details"],
        files["intervals"],
        files["baselines"],
        versions,
    )


def _metrics(name: str) -> dict[str, Any]:
    path, stage = METRICS / f"{name}.json", STAGES.get(name, "evaluate")
    content = read_json(path, stage)
    missing = [key for key in NEEDED[name] if key not in content]
    if missing:
        raise UserError(f"{path} lacks {missing[0]}: run `python stages/{stage}.py` again")
    return content


def _check_one_run(description: ModelDescription, files: dict[str, Any]) -> None:
    """Raise UserError unless the metrics are of this model: git keeps them, DVC the model."""
    facts, data = description.data, files["data"]
    counts = ("num_users", "num_items", "num_interactions")
    if any(data.get(name) != getattr(facts, name) for name in counts):
        raise UserError(f"{METRICS}/data.json is of other data than {MODEL}: run `dvc repro`")
    if files["train_details"]["best_epoch"] != description.best_epoch:
        raise UserError(f"{METRICS}/train_details.json is not of {MODEL}: run `dvc repro`")
    if read_json(RANKED, "evaluate").get("sha256") != digest_of(MODEL):
        raise UserError(f"{METRICS}/ and {RANKED} are not of {MODEL}: {EVALUATE}")
