"""How well a recipe ranks, by the seconds since its training began.

    python benchmarks/accuracy_by_time.py                 # paper and fast, on MovieLens-1M
    python benchmarks/accuracy_by_time.py record --data ml-100k

For a machine that does nothing else. The clock starts before the model is built and checked, and
runs through validations; it does not count what the stages before training take, nor Python's
start. Accuracy is that of validation: nothing is chosen on test. `paper` is params.yaml as it is.
Writes accuracy_by_time-DATA.csv beside this script, which keeps what it has of other recipes, and
draws accuracy_by_time-DATA.png.
"""

import workloads  # isort: skip  # noqa: F401, it sets how torch's threads wait
import argparse
import sys
import tempfile
import time
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from costs import make_split, trainer_of
from matplotlib import pyplot
from result_tables import RECIPES
from timing import name_machine
from workloads import params_with

from sasrec.base.files import write_csv
from sasrec.base.script import run_main
from sasrec.machine.memory import keep_freed_memory
from sasrec.ranking.validation import validate
from sasrec.training.fitting import Progress, fit
from sasrec.training.trainer import Trainer

HERE = Path(__file__).parent
NAMES = ("paper", *RECIPES)
PANELS = {"sampled": "100 sampled candidates", "full": "all items"}


def main() -> None:
    arguments = parse_arguments()
    keep_freed_memory()
    path = HERE / f"accuracy_by_time-{arguments.data}.csv"
    for recipe in arguments.recipes:
        params = params_with({"data.name": arguments.data} | RECIPES.get(recipe, {}))
        with tempfile.TemporaryDirectory() as folder:
            make_split(Path(folder), params)
            with chdir(folder):
                lines = measure(params)
        keep(path, recipe, lines)
    draw(pd.read_csv(path), arguments.data, path.with_suffix(".png"))


def keep(path: Path, recipe: str, lines: list[dict[str, Any]]) -> None:
    """Write the lines of a recipe in the place of those that `path` has of it."""
    table = pd.DataFrame([{"recipe": recipe} | line for line in lines])
    if path.exists():
        old = pd.read_csv(path)
        table = pd.concat([old[old["recipe"] != recipe], table], ignore_index=True)
    write_csv(path, table)


def measure(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Train by `params` on the split in the working directory: a line a validation."""
    started, lines = time.perf_counter(), []
    trainer, inputs = trainer_of(params, partial(print, flush=True))

    def note(trainer: Trainer, progress: Progress) -> None:
        epoch = len(progress.history.epochs)
        found = progress.history.validations.get(epoch)
        if found:
            line = {"epoch": epoch, "seconds": round(time.perf_counter() - started, 1)}
            line |= {
                f"{name}_NDCG@10": round(getattr(found, name)["NDCG@10"], 6) for name in PANELS
            }
            lines.append(line | {"machine": name_machine(trainer.device)})

    validation = partial(
        validate,
        *(trainer.model, trainer.reader, inputs.targets, trainer.objective.loss),
        filter_seen=params["evaluate"]["filter_seen"],
    )
    fit(trainer, validation, partial(print, flush=True), watchers=[note])
    return lines


def draw(table: pd.DataFrame, data: str, path: Path) -> None:
    """Both protocols side by side, a line a recipe, time on a scale by factors."""
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for axis, (name, label) in zip(axes, PANELS.items(), strict=True):
        for number, recipe in enumerate(name for name in NAMES if name in set(table["recipe"])):
            part = table[table["recipe"] == recipe]
            axis.plot(part["seconds"], part[f"{name}_NDCG@10"], "o-", color=f"C{number}", ms=3)
            axis.lines[-1].set_label(recipe)
        axis.set(xscale="log", title=f"Among {label}", xlabel="seconds since training began")
        ticks = [tick for tick in (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
                 if tick / 2 <= table["seconds"].max()]  # fmt: skip
        axis.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
        axis.legend(title="recipe", loc="lower right")
    axes[0].set_ylabel("NDCG@10 on validation")
    machines = ", ".join(sorted(set(table["machine"])))
    figure.suptitle(f"{data}: how well a recipe ranks, by time ({machines})", fontsize=10)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="*", choices=NAMES, default=["paper", "fast"])
    parser.add_argument("--data", default="ml-1m-sasrec", metavar="NAME", help="as data.name")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run_main(main))
