"""How the cost of an epoch grows with users, with length and with the catalogue.

    python benchmarks/growth.py

Writes benchmarks/growth.csv and benchmarks/growth.png (log-log, with the slope of each curve).
"""

import workloads  # isort: skip  # noqa: F401, it sets how torch's threads wait
import argparse
import math
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from timing import Timing, describe_machine
from workloads import Workload, build_trainer, train_params

from sasrec.data.sequences import Sequences
from sasrec.machine.devices import choose_device
from sasrec.training import trainer as training

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
FIXED = {  # what does not vary; short histories of many users are where a large catalogue tells
    "users": {"length": 50, "items": 4000},
    "length": {"users": 2048, "items": 4000},
    "items": {"users": 8192, "length": 6},
}
LABELS = {"users": "users", "length": "positions a user", "items": "items in the catalogue"}
SWEEPS = {
    "users": [512, 1024, 2048, 4096, 8192, 16384],
    "length": [12, 25, 50, 100, 200, 400],
    "items": [1000, 4000, 16000, 64000, 256000, 1000000],
}
DEFERRED_FROM = training.DEFERRED_FROM
EVERY_ROW = "Adam over every row of the embedding"


def main() -> None:
    arguments = parse_arguments()
    device = choose_device(arguments.device)
    print(describe_machine(device))
    rows = []
    for factor, values in SWEEPS.items():
        for value in values:
            shape = FIXED[factor] | {factor: value}
            for curve, deferred_from in curves(factor).items():
                training.DEFERRED_FROM = deferred_from
                timing = epoch_seconds(shape, arguments, device)
                found = {"factor": factor, "curve": curve, "value": value}
                rows.append(found | {"seconds": timing.median})
                print(f"{factor:8} {value:>9,}  {timing}  {curve}", flush=True)
    table = pd.DataFrame(rows)
    table.round(4).to_csv(HERE / "growth.csv", index=False)
    draw(table, describe_machine(device))


def curves(factor: str) -> dict[str, float]:
    """What is drawn for a factor: each curve's name and its training.DEFERRED_FROM."""
    ours = {"an epoch": DEFERRED_FROM}
    return ours | {EVERY_ROW: math.inf} if factor == "items" else ours


def epoch_seconds(shape: dict[str, int], arguments: argparse.Namespace, device) -> Timing:  # noqa: ANN001
    """Epochs on users who all have `length` positions."""
    generator = np.random.default_rng(0)
    per_user = shape["length"] + 3
    offsets = np.concatenate([[0], np.arange(shape["users"] + 1) * per_user])
    items = generator.integers(1, shape["items"] + 1, offsets[-1], dtype=np.int32)
    workload = Workload("", Sequences(offsets, items), shape["items"], shape["length"], 0.2)
    params = train_params(arguments.device)
    trainer = build_trainer(workload.config(), workload.train, shape["items"], params, device)
    trainer.run_epoch(1)
    return Timing([trainer.run_epoch(2 + i).seconds for i in range(arguments.repeats)])


def draw(table: pd.DataFrame, machine: str) -> None:
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained", sharey=True)
    for axis, (factor, label) in zip(axes, LABELS.items(), strict=True):
        for curve in reversed(curves(factor)):  # ours is drawn last, and above
            part = table[(table["factor"] == factor) & (table["curve"] == curve)]
            upper = part.tail(3)
            slope = np.polyfit(np.log(upper["value"]), np.log(upper["seconds"]), 1)[0]
            color, style = ("C7", "o--") if curve == EVERY_ROW else ("C0", "o-")
            axis.loglog(part["value"], part["seconds"], style, color=color)
            axis.lines[-1].set_label(f"{curve}, slope at the end {slope:.2f}")
        fixed = ", ".join(f"{value:,} {LABELS[name]}" for name, value in FIXED[factor].items())
        axis.set(title=f"Growth with {label}\n({fixed})", xlabel=label)
        axis.set_xticks(part["value"], [f"{value:,}" for value in part["value"]], fontsize=8)
        axis.minorticks_off()
        axis.legend(loc="upper left", fontsize=9)
        axis.grid(alpha=0.3, which="both")
    ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10]
    axes[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].set_ylabel("seconds an epoch")
    figure.suptitle(machine, fontsize=9)
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
