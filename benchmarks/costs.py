"""Seconds that an epoch of training takes, for each row of docs/results.md where they are shown.

    python benchmarks/costs.py losses-ml-1m losses-ml-100k
    python benchmarks/costs.py                               # every table

For a machine that does nothing else. The pipeline's stages download, preprocess and split each
dataset in a temporary folder; the workspace stays as it is. Then its rows take turns, an epoch
each: the first round is a warm-up, and the median of the others is kept. Validation is left out.
Writes docs/results/costs.csv, which keeps what it has of other rows, and from which
`python benchmarks/results.py write` fills the page.
"""

import workloads  # isort: skip  # noqa: F401, it sets how torch's threads wait
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import chdir
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from result_collecting import merge
from result_tables import Table, load_tables, named_tables, of_kind
from timing import Timing, name_machine
from workloads import ROOT, params_with

import train
from sasrec.base.errors import UserError
from sasrec.base.files import write_json
from sasrec.base.script import run_main
from sasrec.machine.devices import choose_device
from sasrec.machine.memory import keep_freed_memory
from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.building import Inputs, build
from sasrec.training.params import TrainParams
from sasrec.training.trainer import Trainer

COSTS = Path("docs/results/costs.csv")


class Row(NamedTuple):
    """A row of a table on its dataset, as results.yaml names both."""

    dataset: str
    row: str


def main() -> None:
    arguments = parse_arguments()
    measure(timed_tables(arguments.tables), arguments.rounds, COSTS)


def timed_tables(names: list[str]) -> list[Table]:
    """Those of `names`, or all whose seconds docs/results.md shows.

    Raises:
        UserError: there is no such table.
    """
    tables = of_kind(load_tables(Path(__file__).with_name("results.yaml")), "ranking")
    return named_tables(tables, names or list(tables))


def measure(tables: Iterable[Table], rounds: int, path: Path) -> None:
    """Time the rows of `tables`, each once, and bring the CSV file `path` up to date."""
    keep_freed_memory()
    for rows in by_data(tables):
        with tempfile.TemporaryDirectory() as folder:
            make_split(Path(folder), next(iter(rows.values())))
            with chdir(folder):
                trainers = {
                    row: trainer_of(params, partial(_with_name, row))[0]
                    for row, params in rows.items()
                }
                timings = take_turns(trainers, rounds)
        merge(path, [describe(row, timings[row], trainers[row]) for row in rows], [*Row._fields])


def by_data(tables: Iterable[Table]) -> list[dict[Row, dict[str, Any]]]:
    """Rows and their params.yaml; those that train on the same data together."""
    groups: dict[str, dict[Row, dict[str, Any]]] = {}
    for table in tables:
        for name, settings in table.settings.items():
            params = params_with(settings)
            data = json.dumps([params["data"], params["split"]])
            groups.setdefault(data, {})[Row(table.dataset, name)] = params
    return list(groups.values())


def make_split(folder: Path, params: dict[str, Any]) -> None:
    """Run the stages before train in `folder`; downloads are kept with the repository's."""
    write_json(folder / "params.yaml", params)  # JSON is YAML
    environment = os.environ | {"DVC_ROOT": os.environ.get("DVC_ROOT", str(ROOT))}
    for stage in ("download", "preprocess", "split"):
        command = [sys.executable, str(ROOT / "stages" / f"{stage}.py")]
        if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
            raise UserError(f"stages/{stage}.py failed, see above")


def trainer_of(params: dict[str, Any], report: Callable[[str], None]) -> tuple[Trainer, Inputs]:
    """What stages/train.py trains by `params` on the split in the working directory."""
    settings, inputs = train.read_inputs(
        ModelParams.model_validate(params["model"]),
        ObjectiveParams.model_validate(params["objective"]),
        TrainParams.model_validate(params["train"]),
    )
    device = choose_device(settings.train.device)
    trainer = build(settings, inputs.sequences, inputs.dataset.num_items, device, report=report)
    return trainer, inputs


def _with_name(row: Row, line: str) -> None:
    print(f"{row.dataset} {row.row}: {line}", flush=True)


def take_turns(trainers: dict[Row, Trainer], rounds: int) -> dict[Row, Timing]:
    """An epoch of each row in turn; the first round is not counted."""
    seconds: dict[Row, list[float]] = {row: [] for row in trainers}
    for epoch in range(1, rounds + 2):
        for row, trainer in trainers.items():
            seconds[row].append(trainer.run_epoch(epoch).seconds)
            _with_name(row, f"epoch {epoch}, {seconds[row][-1]:.3f} s")
    return {row: Timing(values[1:]) for row, values in seconds.items()}


def describe(row: Row, timing: Timing, trainer: Trainer) -> dict[str, Any]:
    _with_name(row, str(timing))
    return {
        **row._asdict(),
        "seconds_per_epoch": round(timing.median, 4),
        "threads": torch.get_num_threads(),
        "machine": name_machine(trainer.device),
        "date": datetime.now(UTC).date().isoformat(),
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="which; all if none is named")
    parser.add_argument("--rounds", type=int, default=3, help="after the warm-up")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: expected 1 or more")
    return arguments


if __name__ == "__main__":
    sys.exit(run_main(main))
