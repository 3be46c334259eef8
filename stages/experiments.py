"""A table of experiments: the parameters that differ, and a few metrics.

    python stages/experiments.py          # the workspace, the last commit, and its experiments
    python stages/experiments.py -A       # every commit's
    python stages/experiments.py --csv > experiments.csv

Experiments stand below the commit that they start from, the oldest first. One that failed, runs
or waits in the queue says so and has no metrics yet. The table is as wide as the terminal.
Everything that DVC knows of them, in one long table: `dvc exp show`.
"""

import argparse
import shutil

from sasrec.base.script import run_main
from sasrec.comparing.overview.rows import read_rows
from sasrec.comparing.overview.text import as_csv, as_table


def main() -> None:
    arguments = parse_arguments()
    options = ["--all-commits"] if arguments.all_commits else ["--num", str(arguments.num)]
    rows = read_rows(options)
    print(as_csv(rows), end="") if arguments.csv else print(
        as_table(rows, shutil.get_terminal_size((120, 24)).columns)
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("-A", "--all-commits", action="store_true", help="of every commit")
    which.add_argument(
        "-n", "--num", type=int, default=1, help="of so many last commits (default 1)"
    )
    parser.add_argument("--csv", action="store_true", help="print CSV, with all digits")
    arguments = parser.parse_args()
    if arguments.num < 1:
        parser.error(f"--num {arguments.num}: expected 1 or more")
    return arguments


if __name__ == "__main__":
    run_main(main)
