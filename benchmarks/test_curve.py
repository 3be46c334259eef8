"""Test metrics by epoch: what would come of choosing the epoch on test instead of validation.

    python benchmarks/test_curve.py --epochs 255 --csv docs/results/test_curve.csv

Trains on data/split/ with params.yaml and no early stopping, and ranks the test targets every
five epochs. The authors' code evaluates every 20 of 201 epochs, with new candidates each time
(drawn as in candidate_draws.py): the last lines say what the best of those evaluations comes to.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "stages"))
import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
from sasrec.base.files import read_json, write_csv
from sasrec.base.params import load_params
from sasrec.base.script import run_main
from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.prepare import layout_for, prepare
from sasrec.machine.memory import keep_freed_memory
from sasrec.model.params import ModelParams
from sasrec.model.sasrec import SASRec
from sasrec.objectives.objective import build_objective
from sasrec.objectives.params import ObjectiveParams
from sasrec.ranking.metrics import metric_values, summarise
from sasrec.ranking.ranks import Ranks, rank_targets
from sasrec.ranking.scoring import ModelScores
from sasrec.training.params import TrainParams
from sasrec.training.trainer import Trainer

SPLIT = Path("data/split")
CPU = torch.device("cpu")
STEP, AUTHORS_STEP, AUTHORS_EPOCHS = 5, 20, 200
COUNT, DRAWS = 100, 200
METRICS = ("HR@10", "NDCG@10")


def main() -> None:
    arguments = parse_arguments()
    keep_freed_memory()
    facts = read_json(SPLIT / "test/dataset.json")
    counts = {key: facts[key] for key in ("num_users", "num_items")}
    train, histories = (Sequences.load(SPLIT / name, **counts) for name in ("train", "test"))
    targets = Targets.load(SPLIT / "test", **counts)
    params = load_params("train", TrainParams)
    config = load_params("model", ModelParams).resolve(facts["name"])
    model = SASRec(config, facts["num_items"], params.seed)
    objective = build_objective(
        load_params("objective", ObjectiveParams), train, facts["num_items"], CPU
    )
    prepare(model, objective.loss, kernels=params.kernels)
    train_reader, reader = (
        SequenceReader(sequences, config.max_length, CPU, layout=layout_for(model))
        for sequences in (train, histories)
    )
    trainer = Trainer(model, objective, train_reader, params)
    unseen = facts["num_items"] - histories.lengths[targets.users] + 1  # as the authors draw

    rows, evaluations = [], []
    generator = np.random.default_rng(params.seed)
    for epoch in range(1, arguments.epochs + 1):
        trainer.run_epoch(epoch)
        if epoch % STEP == 0:
            ranks = rank_targets(ModelScores(model, reader), targets)
            rows.append({"epoch": epoch, **describe(ranks)})
            print("  ".join(f"{key} {value:.4g}" for key, value in rows[-1].items()), flush=True)
            if epoch % AUTHORS_STEP == 0 and epoch <= AUTHORS_EPOCHS:
                evaluations.append(redraw((ranks.full - 1) / unseen, generator))
    if arguments.csv:
        write_csv(arguments.csv, pd.DataFrame(rows))
    if evaluations:
        report(np.array(evaluations).max(0))


def describe(ranks: Ranks) -> dict[str, float]:
    return {
        f"{protocol}_{metric}": round(value, 6)
        for protocol, values in (("sampled", ranks.sampled), ("full", ranks.full))
        for metric, value in summarise(values, (10,)).items()
        if metric in METRICS
    }


def redraw(chance: np.ndarray, generator: np.random.Generator) -> list[list[float]]:
    """HR@10 and NDCG@10 by DRAWS draws of candidates, each better than the target by `chance`."""
    metrics = []
    for _ in range(DRAWS):
        values = metric_values(generator.binomial(COUNT, chance) + 1, (10,))
        metrics.append([float(values[name].mean()) for name in METRICS])
    return metrics


def report(best: np.ndarray) -> None:
    """`best`: [DRAWS, metrics], the best of the evaluations in each repetition."""
    for name, values in zip(METRICS, best.T, strict=True):
        low, high = np.percentile(values, [2.5, 97.5])
        print(f"best evaluation on test, {name}: {values.mean():.4f} ({low:.4f} to {high:.4f})")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=AUTHORS_EPOCHS)
    parser.add_argument("--csv", type=Path, help="write the curve into this file")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
