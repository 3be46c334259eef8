"""Rank the test targets, by sampled candidates and among all items.

Reads   data/split/test/, data/model/, section `evaluate` of params.yaml
Writes  metrics/test.json        HR@k, NDCG@k, MRR by protocol; coverage, popularity
        metrics/intervals.json   95% bootstrap intervals over users
        data/evaluation/         ranks.csv: each user's ranks, for paired comparisons
        plots/                   CSV files that DVC draws, and the same as PNG
"""

import sasrec.threads  # isort: skip  # noqa: F401, before torch
from pathlib import Path
from typing import Any

from sasrec.batches import SequenceReader
from sasrec.checkpoint import load_model
from sasrec.compiling import compile_for
from sasrec.devices import choose_device
from sasrec.errors import UserError
from sasrec.evaluate_params import EvaluateParams
from sasrec.evaluation import TOP_K, evaluate
from sasrec.figures import draw_by_length, draw_by_rank, draw_training
from sasrec.files import new_folder, read_csv, read_json, write_csv, write_json
from sasrec.memory import keep_freed_memory
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
    training, validation = (read_csv(MODEL / f"{name}.csv") for name in ("training", "validation"))
    dataset = read_json(TEST / "dataset.json")
    check_catalogue(dataset, model.num_items)
    counts = {key: dataset[key] for key in ("num_users", "num_items")}
    histories = Sequences.load(TEST, **counts)
    targets = Targets.load(TEST, **counts)

    keep_freed_memory()
    compile_for(device, model.config.hidden_size, model.config.num_heads)
    reader = SequenceReader(histories, model.config.max_length, device, dense=device.type != "cpu")
    ranks = rank_targets(model, reader, targets, filter_seen=params.filter_seen, top_k=TOP_K)
    result = evaluate(ranks, targets, histories, model.num_items, params)

    with new_folder(EVALUATION) as folder:
        write_csv(folder / "ranks.csv", result.ranks)
    write_json(METRICS / "test.json", result.metrics)
    write_json(METRICS / "intervals.json", result.intervals)
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
        shown = {key: f"{value:.4f}" for key, value in metrics.items() if key != "users"}
        line = "  ".join(f"{key} {value}" for key, value in shown.items())
        print(f"{name}: {line}  ({metrics['users']:,} users)")


def check_catalogue(dataset: dict[str, Any], num_items: int) -> None:
    if dataset["num_items"] != num_items:
        raise UserError(
            f"{MODEL} was trained on {num_items} items, {TEST} has {dataset['num_items']}: "
            "run `python stages/train.py` first"
        )


if __name__ == "__main__":
    run_stage(main, __doc__)
