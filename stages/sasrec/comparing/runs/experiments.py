"""Two sides to compare, A and B: each the runs of one experiment, as `evaluate` left them."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sasrec.base.errors import UserError
from sasrec.base.yaml_files import parse_yaml
from sasrec.comparing.flatten import flatten
from sasrec.comparing.runs.rank_table import protocols, read_rank_table
from sasrec.comparing.runs.results import Results, find_results
from sasrec.training.timings import find_timing

SEED = "train.seed"


@dataclass(frozen=True)
class Run:
    """What one training and its evaluation left.

    Attributes:
        name: as the user gave it.
        place: what tells it from other runs (see `Results`).
        ranks: a row a user (see `read_rank_table`).
        params: those that the run was made with, by dotted name; empty if unknown.
        stale: names of parameters that have another value in params.yaml.
        test_data: the MD5 of data/split/test, None if unknown.
        training: metrics/train_details.json and, if known, the timing; empty if there is none.
    """

    name: str
    place: str
    ranks: pd.DataFrame
    params: dict[str, Any]
    stale: tuple[str, ...]
    test_data: str | None
    training: dict[str, Any]

    @property
    def protocols(self) -> tuple[str, str]:
        return protocols(self.ranks)

    @property
    def seed(self) -> int | None:
        seed = self.params.get(SEED)
        return seed if isinstance(seed, int) else None


@dataclass(frozen=True)
class Side:
    """The runs of A or of B; they should differ in their seed only."""

    label: str
    runs: tuple[Run, ...]

    @property
    def names(self) -> str:
        return ", ".join(run.name for run in self.runs)

    def ranks(self, protocol: str) -> np.ndarray:
        """Float64 [runs, users]; the users that the protocol ranks, the same ones in every run."""
        ranks = np.stack([run.ranks[protocol].to_numpy() for run in self.runs])
        return ranks[:, ~np.isnan(ranks[0])]

    def values(self, key: str) -> list[Any]:
        """The values of a parameter over the runs, each once; empty if unknown."""
        values: list[Any] = []
        for run in self.runs:
            if key in run.params and run.params[key] not in values:
                values.append(run.params[key])
        return values


def load_side(label: str, names: str) -> Side:
    """Read the runs of A or B: folders or revisions with commas between (see `find_results`).

    Raises:
        UserError: a run cannot be found or read, or is named twice.
    """
    single = [name.strip() for name in names.split(",")]
    if not all(single):
        raise UserError(f"{label} is {names!r}: expected a name, or several with commas between")
    runs = tuple(_load_run(find_results(name)) for name in single)
    for index, run in enumerate(runs):
        for other in runs[:index]:
            if run.place == other.place or run.ranks.equals(other.ranks):
                raise UserError(
                    f"{label}: {other.name} and {run.name} are the same run, all ranks are "
                    "equal: name runs with different train.seed"
                )
    return Side(label, runs)


def _load_run(results: Results) -> Run:
    ranks = read_rank_table(results.ranks(), f"{results.name}: ranks.csv")
    params, stale, test_data = read_params(results)
    return Run(
        name=results.name,
        place=results.place,
        ranks=ranks,
        params=params,
        stale=stale,
        test_data=test_data,
        training=_read_training(results),
    )


def read_params(results: Results) -> tuple[dict[str, Any], tuple[str, ...], str | None]:
    """Of `Run`: params, stale and test_data."""
    made, test_data = _read_lock(results)
    now = flatten(_read_yaml(results, "params.yaml"))
    stale = tuple(key for key in made if key in now and made[key] != now[key])
    return made or now, stale, test_data


def _read_lock(results: Results) -> tuple[dict[str, Any], str | None]:
    """What dvc.lock says the results were made with: parameters, and the MD5 of the test data."""
    stages = _read_yaml(results, "dvc.lock").get("stages", {})
    try:
        made = {
            key: value
            for stage in stages.values()
            for key, value in flatten(stage.get("params", {}).get("params.yaml", {})).items()
        }
        inputs = {dep["path"]: dep.get("md5") for dep in stages.get("evaluate", {}).get("deps", [])}
    except (AttributeError, KeyError, TypeError):
        raise UserError(f"{results.name}: dvc.lock is not as DVC writes it") from None
    return made, inputs.get("data/split/test")


def _read_training(results: Results) -> dict[str, Any]:
    path = "metrics/train_details.json"
    try:
        metrics = dict(json.loads(results.read(path) or b"{}", parse_constant=str))
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{results.name}: {path} is not a JSON object: {error}") from None
    return metrics | find_timing(results.root, metrics)


def _read_yaml(results: Results, path: str) -> dict[str, Any]:
    try:
        content = parse_yaml(results.read(path) or b"")
        json.dumps(content, default=str, skipkeys=True)  # nothing holds itself
    except (ValueError, RecursionError) as error:
        raise UserError(f"{results.name}: {path} is not valid YAML: {error}") from None
    return content if isinstance(content, dict) else {}
