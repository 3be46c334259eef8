"""Rank the test targets, by sampled candidates and among all items.

Reads   data/split/test/, data/model/, section `evaluate` of params.yaml
Writes  metrics/test.json        HR@k, NDCG@k, MRR by protocol; coverage, popularity
        metrics/intervals.json   95% bootstrap intervals over users
        data/evaluation/         ranks.csv: each user's ranks, for paired comparisons
        plots/                   CSV files that DVC draws, and the same as PNG
"""

import sasrec.threads  # isort: skip  # noqa: F401, before torch
from pathlib import Path

import pandas as pd

from sasrec.batches import SequenceReader
from sasrec.checkpoint import load_model
from sasrec.devices import choose_device
from sasrec.evaluation import TOP_K, EvaluateParams, evaluate
from sasrec.figures import draw_by_length, draw_by_rank, draw_training
from sasrec.files import new_folder, read_json, write_csv, write_json
from sasrec.params import load_params
from sasrec.ranking import rank_targets
from sasrec.sequences import Sequences
from sasrec.stage import run_stage
from sasrec.targets import Targets

TEST = Path("data/split/test")
MODEL = Path("data/model")
EVALUATION = Path("data/evaluation")
METRICS = Path("metrics")
PLOTS = Path("plots")


def main() -> None:
    params = load_params("evaluate", EvaluateParams)
    device = choose_device(params.device, key="evaluate.device")
    model = load_model(MODEL, device)
    histories = Sequences.load(TEST, model.num_items)
    targets = Targets.load(TEST, num_users=histories.num_users, num_items=model.num_items)

    reader = SequenceReader(histories, model.config.max_length, device, dense=device.type != "cpu")
    ranks = rank_targets(model, reader, targets, filter_seen=params.filter_seen, top_k=TOP_K)
    result = evaluate(ranks, targets, histories, model.num_items, params)

    with new_folder(EVALUATION) as folder:
        write_csv(folder / "ranks.csv", result.ranks)
    write_json(METRICS / "test.json", result.metrics)
    write_json(METRICS / "intervals.json", result.intervals)
    training, validation = (
        pd.read_csv(MODEL / f"{name}.csv") for name in ("training", "validation")
    )
    for name, table in (
        ("training", training),
        ("validation", validation),
        ("by_history_length", result.by_length),
        ("by_rank", result.by_rank),
    ):
        write_csv(PLOTS / f"{name}.csv", table)
    best = read_json(MODEL / "model.json")["best_epoch"]
    draw_training(training, validation, best, PLOTS / "training.png")
    draw_by_length(result.by_length, PLOTS / "by_history_length.png")
    draw_by_rank(result.by_rank, PLOTS / "by_rank.png")
    for name, metrics in result.metrics.items():
        print(f"{name}: " + "  ".join(f"{key} {value:.4f}" for key, value in metrics.items()))


if __name__ == "__main__":
    run_stage(main, __doc__)
