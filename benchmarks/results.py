"""The tables of docs/results.md: queue their experiments, collect and write what came out.

    python benchmarks/results.py queue variants-ml-1m   # what is not there yet
    OMP_NUM_THREADS=1 dvc queue start --jobs 2          # runs the queue; `dvc queue status`
    python benchmarks/results.py write                  # docs/results.md and docs/results/

Tables and rows are in results.yaml beside this script. `write` takes up every row of which all
seeds have run here, and leaves what others have run as it stands; the baselines, which need no
training, from any run of their dataset.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import torch
from result_baselines import collect_baselines
from result_collecting import collect
from result_figures import draw_lengths, draw_rows, draw_test_curve
from result_new_items import collect_new_items
from result_pages import fill_page
from result_tables import Table, load_tables, named_tables, of_kind, override
from timing import describe_machine

from sasrec.base.errors import UserError
from sasrec.base.script import run_main
from sasrec.comparing.runs.results import find_results
from sasrec.comparing.runs.revisions import queue_state

DOCS = Path("docs")


def main() -> None:
    arguments = parse_arguments()
    tables = load_tables(Path(__file__).with_name("results.yaml"))
    if arguments.action == "queue":
        for table in named_tables(tables, arguments.tables):
            queue(table)
    else:
        machine = arguments.machine or describe_machine(torch.device("cpu"))
        ranking, folder = of_kind(tables, "ranking"), DOCS / "results"
        finished = collect(ranking, folder, machine)
        collect_baselines(ranking, finished, folder)
        collect_new_items(of_kind(tables, "new_items"), folder)
        for name, table in ranking.items():
            draw = draw_lengths if name.startswith("length") else draw_rows
            draw(table, folder)
        draw_test_curve(folder)
        fill_page(tables, DOCS / "results.md", folder)


def queue(table: Table) -> None:
    """Queue the table's experiments but those that have run or wait already, seed by seed."""
    for experiment in sorted(table.experiments(), key=lambda experiment: experiment.seed):
        if is_there(experiment.name):
            print(f"{experiment.name}: there already")
            continue
        command = ["dvc", "exp", "run", "--queue", "--name", experiment.name]
        for key, value in experiment.settings.items():
            command += ["-S", override(key, value)]
        print(shlex.join(command), flush=True)
        if subprocess.run(command, check=False).returncode:
            raise UserError("dvc could not queue it, see above")


def is_there(name: str) -> bool:
    try:
        find_results(name)
    except UserError:
        return queue_state(name) in ("Running", "Queued")
    return True


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["queue", "write"])
    parser.add_argument("tables", nargs="*", metavar="TABLE", help="for queue: which")
    parser.add_argument("--machine", help="for write: what the experiments ran on")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(run_main(main))
