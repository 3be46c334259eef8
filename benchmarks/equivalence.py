"""The fast path against the plain one: curves of loss and NDCG@10 over several seeds.

    python benchmarks/equivalence.py --seeds 3 --epochs 40      # after `dvc repro`

Plain means: every batch padded to the full length, torch's own attention, norms, dropout,
embedding and gradients, and an optimizer that takes every parameter by itself.
Reads data/split/; writes benchmarks/equivalence.csv and benchmarks/equivalence.png.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import matplotlib
import pandas as pd
import torch
from torch.nn import functional
from workloads import train_params

from sasrec.base.files import read_json
from sasrec.base.params import load_params
from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.compiling import prepare
from sasrec.machine.memory import keep_freed_memory
from sasrec.model import embedding, layer_norm
from sasrec.model import sasrec as model
from sasrec.model.noise import Noise
from sasrec.model.params import ModelParams
from sasrec.objectives import losses
from sasrec.ranking.validation import validate
from sasrec.training.trainer import Trainer

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).parent
SPLIT = Path("data/split")


def main() -> None:
    arguments = parse_arguments()
    keep_freed_memory()
    rows = []
    for seed in range(1, arguments.seeds + 1):
        for path in ("fast", "plain"):
            epochs = train(path, seed, arguments.epochs)
            rows += [{"path": path, "seed": seed, **row} for row in epochs]
            print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.round(5).to_csv(HERE / "equivalence.csv", index=False)
    draw(table)


def train(path: str, seed: int, epochs: int) -> Iterator[dict[str, float]]:
    """A row an epoch: training loss, validation metrics, seconds."""
    facts = read_json(SPLIT / "train/dataset.json")
    counts = {key: facts[key] for key in ("num_users", "num_items")}
    sequences = Sequences.load(SPLIT / "train", **counts)
    targets = Targets.load(SPLIT / "valid", **counts)
    config = load_params("model", ModelParams).resolve(facts["name"])
    recommender = model.SASRec(config, facts["num_items"], seed)
    params = train_params("cpu", seed=seed)
    prepare(recommender)
    trainer = Trainer(recommender, sequences, params, torch.device("cpu"))
    with plain_path(trainer) if path == "plain" else nullcontext():
        for epoch in range(1, epochs + 1):
            stats = trainer.run_epoch(epoch)
            validation = validate(recommender, trainer.reader, targets)
            yield {
                "epoch": epoch,
                "train_loss": stats.loss,
                "sampled_NDCG@10": validation.sampled["NDCG@10"],
                "full_NDCG@10": validation.full["NDCG@10"],
                "seconds": stats.seconds,
            }


@contextmanager
def plain_path(trainer: Trainer) -> Iterator[None]:
    """Replace each fast part by what torch offers for it."""
    length = trainer.model.config.max_length
    trainer.reader = SequenceReader(trainer.sequences, length, trainer.device, dense=True)
    settings = {key: trainer.optimizer.defaults[key] for key in ("lr", "betas")}
    trainer.optimizer = torch.optim.Adam(trainer.model.parameters(), **settings)

    def dropout(self, x):  # noqa: ANN001, ANN202
        return functional.dropout(x, self.rate)

    def never(x):  # noqa: ANN001, ANN202, a mock would keep every tensor that it was called with
        return False

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(Noise, "dropout", dropout))
        for module in (embedding, layer_norm, losses, model):
            patches.enter_context(mock.patch.object(module, "by_hand", never))
        yield


def draw(table: pd.DataFrame) -> None:
    columns = {
        "train_loss": "Training loss",
        "sampled_NDCG@10": "Validation NDCG@10, sampled",
        "full_NDCG@10": "Validation NDCG@10, full",
    }
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for axis, (column, title) in zip(axes, columns.items(), strict=True):
        for path, colour in (("fast", "tab:blue"), ("plain", "tab:orange")):
            for seed, run in table[table["path"] == path].groupby("seed"):
                label = path if seed == 1 else None
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
