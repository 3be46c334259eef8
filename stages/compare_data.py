"""Are these the authors' data? Compare two data sets up to a relabelling of users and items.

Each is a text file of `user item` lines, a user's lines in chronological order, or a folder
with user.npy and item.npy as preprocess writes it.
Exit code: 0 if they are equal up to a relabelling, 1 if not, 2 if that cannot be found out.
"""

import argparse
import sys
from pathlib import Path

from sasrec.base.files import write_json
from sasrec.base.script import run_main
from sasrec.comparing.datasets.comparison import compare
from sasrec.comparing.datasets.reading import read_graph
from sasrec.comparing.datasets.text import describe

SLOW = 1_000_000  # interactions from which on it takes a few seconds


def main() -> None:
    arguments = _parse_arguments()
    reference, other = read_graph(arguments.reference), read_graph(arguments.other)
    if reference.num_interactions + other.num_interactions > SLOW:
        print("looking for a renaming of users and items ...", file=sys.stderr)
    report = compare(reference, other)
    print(describe(report))
    if arguments.json:
        write_json(arguments.json, report)
    sys.exit(0 if report["equal"] else 1)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reference", type=Path, help="the data to compare with")
    parser.add_argument(
        "other",
        type=Path,
        nargs="?",
        default=Path("data/interactions"),
        help="the data in question (default: %(default)s)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON too")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main, failed=2)
