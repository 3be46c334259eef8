"""Is B better than A, or is it chance? Compare two experiments, user by user.

    python stages/compare.py main gruff-boar
    python stages/compare.py paper-1,paper-2,paper-3 official-1,official-2,official-3

A and B are each an experiment, a branch, tag or commit, `workspace`, or a folder that holds
data/evaluation/ranks.csv (a folder's name comes first); or several of these with commas
between: the same training with other seeds (train.seed), so that chance includes the seed.
Every difference is B - A. Nothing is written unless --json or --plot asks for it.
Exit code: 0 whatever the result, 1 if A and B cannot be read or compared.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.base.files import write_json
from sasrec.base.script import run_main
from sasrec.comparing.runs.comparison import compare_sides, report
from sasrec.comparing.runs.experiments import load_side
from sasrec.comparing.runs.figure import draw_differences
from sasrec.comparing.runs.text import describe

MAX_SAMPLES = 10_000_000  # 80 MB a test
MAX_K = 1_000_000_000


def main() -> None:
    arguments = parse_arguments()
    comparison = compare_sides(
        load_side("A", arguments.a),
        load_side("B", arguments.b),
        arguments.ks,
        mrr=arguments.mrr,
        samples=arguments.samples,
        seed=arguments.seed,
    )
    print(describe(comparison))
    if arguments.json:
        write(arguments.json, lambda path: write_json(path, report(comparison)))
    if arguments.plot:
        write(arguments.plot, lambda path: draw_differences(comparison, path))


def write(path: Path, writer: Callable[[Path], None]) -> None:
    try:
        writer(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", metavar="A", help="what to compare with")
    parser.add_argument("b", metavar="B", help="what may be better")
    parser.add_argument(
        "-k",
        "--ks",
        type=parse_ks,
        default=(10,),
        help="cut-offs of HR@k and NDCG@k with commas between (default 10)",
    )
    parser.add_argument("--mrr", action="store_true", help="test the mean reciprocal rank too")
    parser.add_argument(
        "--samples", type=int, default=10_000, help="bootstrap resamples (default %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the resamples (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the differences")
    arguments = parser.parse_args()
    if not 1000 <= arguments.samples <= MAX_SAMPLES:
        parser.error(f"--samples {arguments.samples}: expected 1000 to {MAX_SAMPLES:,}")
    if arguments.seed < 0:
        parser.error(f"--seed {arguments.seed}: expected 0 or more")
    if arguments.plot and arguments.plot.suffix != ".png":
        parser.error(f"--plot {arguments.plot}: expected a name that ends in .png")
    return arguments


def parse_ks(text: str) -> tuple[int, ...]:
    """Rising cut-offs from a text such as 5,10."""
    parts = text.split(",")
    digits = all(part.isascii() and part.isdigit() and len(part) < 11 for part in parts)
    if not digits or not all(1 <= int(part) <= MAX_K for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: expected whole numbers from 1, such as 5,10")
    return tuple(sorted({int(part) for part in parts}))


if __name__ == "__main__":
    run_main(main)
