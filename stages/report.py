"""A page to look at: one run, or several side by side, as a single HTML file.

    python stages/report.py                            # the workspace, as report.html
    python stages/report.py main gruff-boar -o both.html

RUN is an experiment, a branch, tag or commit, `workspace`, or a folder. The page holds the data's
facts with warnings, parameters that differ, curves, metrics with intervals beside baselines, and
metrics by length of history and by popularity; of the first RUN whose data/model/ lies in a
folder also examples, attention and nearest items. It needs no network and no other file. What a
RUN lacks is left out, with a sentence. Nothing is written but the page.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import argparse
from pathlib import Path

from sasrec.base.files import new_file
from sasrec.base.script import run_main
from sasrec.comparing.runs.results import WORKSPACE, find_results
from sasrec.reporting.page import render
from sasrec.reporting.run import read_run


def main() -> None:
    arguments = parse_arguments()
    runs = [read_run(find_results(name)) for name in arguments.runs or [WORKSPACE]]
    page = render(runs, arguments.seed)
    with new_file(arguments.output) as new:
        new.write_text(page, encoding="utf-8")
    print(f"{arguments.output} written: open it in a browser")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", metavar="RUN", nargs="*", help="what to show (default workspace)")
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="what to write (default %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the users shown (default 1)")
    arguments = parser.parse_args()
    if arguments.seed < 0:
        parser.error(f"--seed {arguments.seed}: expected 0 or more")
    if len(set(arguments.runs)) < len(arguments.runs):
        parser.error("a RUN is named twice")
    return arguments


if __name__ == "__main__":
    run_main(main)
