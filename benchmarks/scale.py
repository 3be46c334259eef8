"""Wall time and peak memory of the stages on many interactions.

    python benchmarks/scale.py --interactions 30000000

Runs the stage scripts on `synthetic` data in a temporary folder, with one epoch of training.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
STAGES = ("download", "preprocess", "split", "train", "evaluate")


def main() -> None:
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_params(folder, arguments)
        for stage in arguments.stages:
            seconds, peak = run(folder, stage)
            print(f"{stage:12} {seconds:8.1f} s   peak memory {peak / 2**30:.2f} GiB", flush=True)


def write_params(folder: Path, arguments: argparse.Namespace) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["data"]["name"] = "synthetic"
    params["data"]["path"] = "none"
    params["data"]["synthetic"] |= {
        "num_interactions": arguments.interactions,
        "num_users": arguments.users,
        "num_items": arguments.items,
    }
    params["train"]["epochs"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


def run(folder: Path, stage: str) -> tuple[float, int]:
    """Seconds, and the peak resident memory of the process in bytes."""
    started = time.perf_counter()
    # A process of its own between, so that the peak is this stage's and not an earlier one's.
    code = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, sys.executable, str(ROOT / "stages" / f"{stage}.py")],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - started, int(result.stdout) * unit


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--interactions", type=int, default=30_000_000)
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
