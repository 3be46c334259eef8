"""How the cost of an epoch grows with users, with length and with the catalogue.

    python benchmarks/growth.py

Writes benchmarks/growth.csv and benchmarks/growth.png (log-log, with the slope of each curve).
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from timing import Timing, describe_machine
from workloads import Workload, train_params

from sasrec.devices import choose_device
from sasrec.model import SASRec
from sasrec.sequences import Sequences
from sasrec.training import Trainer

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
BASE = {"users": 2048, "length": 50, "items": 4000}
SWEEPS = {
    "users": [512, 1024, 2048, 4096, 8192, 16384],
    "length": [12, 25, 50, 100, 200, 400],
    "items": [1000, 4000, 16000, 64000, 256000, 1000000],
}


def main() -> None:
    arguments = parse_arguments()
    device = choose_device(arguments.device)
    print(describe_machine(device))
    rows = []
    for factor, values in SWEEPS.items():
        for value in values:
            timing = epoch_seconds(BASE | {factor: value}, arguments, device)
            rows.append({"factor": factor, "value": value, "seconds": timing.median})
            print(f"{factor:8} {value:>9,}  {timing}", flush=True)
    table = pd.DataFrame(rows)
    table.round(4).to_csv(HERE / "growth.csv", index=False)
    draw(table, describe_machine(device))


def epoch_seconds(shape: dict[str, int], arguments: argparse.Namespace, device) -> Timing:  # noqa: ANN001
    """Epochs on users who all have `length` positions."""
    generator = np.random.default_rng(0)
    per_user = shape["length"] + 3
    offsets = np.concatenate([[0], np.arange(shape["users"] + 1) * per_user])
    items = generator.integers(1, shape["items"] + 1, offsets[-1], dtype=np.int32)
    workload = Workload("", Sequences(offsets, items), shape["items"], shape["length"], 0.2)
    model = SASRec(workload.config(), shape["items"], seed=1)
    trainer = Trainer(model, workload.train, train_params(arguments.device), device)
    trainer.run_epoch(1)
    return Timing([trainer.run_epoch(2 + i).seconds for i in range(arguments.repeats)])


def draw(table: pd.DataFrame, machine: str) -> None:
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained", sharey=True)
    labels = {"users": "users", "length": "positions a user", "items": "items in the catalogue"}
    for axis, (factor, label) in zip(axes, labels.items(), strict=True):
        part = table[table["factor"] == factor]
        upper = part.tail(3)
        slope = np.polyfit(np.log(upper["value"]), np.log(upper["seconds"]), 1)[0]
        axis.loglog(part["value"], part["seconds"], "o-", label="an epoch")
        axis.set(title=f"Growth with {label}", xlabel=label)
        axis.set_xticks(part["value"], [f"{value:,}" for value in part["value"]], fontsize=8)
        axis.minorticks_off()
        axis.text(0.05, 0.9, f"slope at the end {slope:.2f}", transform=axis.transAxes)
        axis.grid(alpha=0.3, which="both")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10]
    axes[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].set_ylabel("seconds an epoch")
    fixed = ", ".join(f"{BASE[factor]:,} {label}" for factor, label in labels.items())
    figure.suptitle(f"{machine}; what does not vary: {fixed}", fontsize=9)
    figure.savefig(HERE / "growth.png", dpi=100, metadata={"Software": None})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
