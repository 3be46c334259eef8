"""Kernels against plain PyTorch: curves of loss and NDCG@10 over several seeds.

    python benchmarks/equivalence.py --seeds 3 --epochs 40      # after `dvc repro`

As train.kernels says: auto or plain. The two draw other negatives and drop other units, because
their batches are laid out otherwise.
Reads data/split/; writes benchmarks/equivalence.csv and benchmarks/equivalence.png.
"""

import workloads  # isort: skip  # noqa: F401, it sets how torch's threads wait
import argparse
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pandas as pd
import torch
from workloads import build_trainer, train_params

from sasrec.base.files import read_json
from sasrec.base.params import load_params
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.machine.memory import keep_freed_memory
from sasrec.model.params import ModelParams
from sasrec.ranking.validation import validate

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
SPLIT = Path("data/split")


def main() -> None:
    arguments = parse_arguments()
    keep_freed_memory()
    rows = []
    for seed in range(1, arguments.seeds + 1):
        for kernels in ("auto", "plain"):
            epochs = train(kernels, seed, arguments.epochs)
            rows += [{"kernels": kernels, "seed": seed, **row} for row in epochs]
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.round(5).to_csv(HERE / "equivalence.csv", index=False)
    draw(table)


def train(kernels: str, seed: int, epochs: int) -> Iterator[dict[str, float]]:
    """A row an epoch: training loss, validation metrics, seconds."""
    facts = read_json(SPLIT / "train/dataset.json")
    counts = {key: facts[key] for key in ("num_users", "num_items")}
    sequences = Sequences.load(SPLIT / "train", **counts)
    targets = Targets.load(SPLIT / "valid", **counts)
    config = load_params("model", ModelParams).resolve(facts["name"])
    params = train_params("cpu", seed=seed, kernels=kernels)
    trainer = build_trainer(config, sequences, facts["num_items"], params, torch.device("cpu"))
    for epoch in range(1, epochs + 1):
        stats = trainer.run_epoch(epoch)
        validation = validate(trainer.model, trainer.reader, targets, trainer.objective.loss)
        yield {
            "epoch": epoch,
            "train_loss": stats.loss,
            "sampled_NDCG@10": validation.sampled["NDCG@10"],
            "full_NDCG@10": validation.full["NDCG@10"],
            "seconds": stats.seconds,
        }


def draw(table: pd.DataFrame) -> None:
    columns = {
        "train_loss": "Training loss",
        "sampled_NDCG@10": "Validation NDCG@10, sampled",
        "full_NDCG@10": "Validation NDCG@10, full",
    }
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for axis, (column, title) in zip(axes, columns.items(), strict=True):
        for kernels, colour in (("auto", "tab:blue"), ("plain", "tab:orange")):
            for seed, run in table[table["kernels"] == kernels].groupby("seed"):
                label = kernels if seed == 1 else None
                axis.plot(run["epoch"], run[column], color=colour, alpha=0.7, label=label)
        axis.set(title=title, xlabel="epoch", ylabel=column.replace("_", " "))
        axis.legend()
        axis.grid(alpha=0.3)
    figure.savefig(HERE / "equivalence.png", dpi=100, metadata={"Software": None})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    return parser.parse_args()


if __name__ == "__main__":
    main()
