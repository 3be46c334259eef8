"""Rank the test targets, by sampled candidates and among all items.

Reads   data/split/test/, data/model/, section `evaluate` of params.yaml; for the baselines
        data/split/train/
Writes  metrics/test.json           HR@10 and NDCG@10 by protocol: what DVC's tables show
        metrics/test_details.json   every k, MRR; coverage, novelty … of the lists of 10; of new
                                    items too where split held some out
        metrics/intervals.json      95% bootstrap intervals over users
        metrics/baselines.json      the same details of what needs no training
        data/evaluation/            ranks.csv: each user's ranks, for paired comparisons;
                                    model.json: the SHA-256 of the weights that were ranked by
        plots/                      CSV files that DVC draws, and the same as PNG
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
from pathlib import Path

from sasrec.base.files import write_csv, write_json
from sasrec.base.outputs import Outputs
from sasrec.base.params import load_params
from sasrec.base.script import run_stage
from sasrec.batching.batches import SequenceReader
from sasrec.data.cold import read_cold_test
from sasrec.data.facts import check_same_data, read_split_facts
from sasrec.data.features import read_features
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.prepare import layout_for, prepare
from sasrec.machine.devices import choose_device
from sasrec.machine.memory import keep_freed_memory
from sasrec.model.checkpoint import digest_of, load_model, read_curves, read_description
from sasrec.model.needs import columns_in, model_needs
from sasrec.ranking.baselines.running import measure_baselines
from sasrec.ranking.cold import lines_of, measure_cold
from sasrec.ranking.evaluation import evaluate
from sasrec.ranking.figures import draw_by_length, draw_by_rank, draw_training
from sasrec.ranking.lists import TOP_K
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import note_on_repeats, rank_targets
from sasrec.ranking.scoring import ModelScores

TRAIN = Path("data/split/train")
TEST = Path("data/split/test")
MODEL = Path("data/model")
EVALUATION = Path("data/evaluation")
METRICS = Path("metrics/test.json")
DETAILS = Path("metrics/test_details.json")
BASELINES = Path("metrics/baselines.json")
INTERVALS = Path("metrics/intervals.json")
TABLES = {name: Path(f"plots/{name}.csv") for name in ("by_history_length", "by_rank")}
TRAINING_PLOT = Path("plots/training.png")
BY_LENGTH_PLOT = Path("plots/by_history_length.png")
BY_RANK_PLOT = Path("plots/by_rank.png")
PLOTS = (TRAINING_PLOT, BY_LENGTH_PLOT, BY_RANK_PLOT)
SPLIT_AGAIN = "run `python stages/split.py` again"
TRAIN_AGAIN = "run `python stages/train.py` first"
FILES = (METRICS, DETAILS, BASELINES, INTERVALS, *TABLES.values(), *PLOTS)
OUTPUTS = Outputs(EVALUATION, folders=(EVALUATION,), files=FILES)


def main() -> None:
    params = load_params("evaluate", EvaluateParams)
    device = choose_device(params.device, key="evaluate.device")
    description, dataset = read_description(MODEL), read_split_facts(TEST)
    check_same_data(
        description.data, dataset, known_path=MODEL, found_path=TEST, remedy=TRAIN_AGAIN
    )
    check_same_data(
        read_split_facts(TRAIN), dataset, known_path=TRAIN, found_path=TEST, remedy=SPLIT_AGAIN
    )
    training, validation = read_curves(MODEL)
    model = load_model(MODEL, device)
    counts = {"num_users": dataset.num_users, "num_items": dataset.num_items}
    columns = columns_in(model_needs(model.config))
    train = Sequences.load(TRAIN, **counts)
    histories = Sequences.load(TEST, **counts, columns=columns)
    targets = Targets.load(TEST, **counts)
    cold, features = read_cold_test(TEST, dataset, columns), read_features(TEST)

    with OUTPUTS.new() as new:
        keep_freed_memory()
        prepare(model, kernels=description.kernels)
        length, layout = model.config.max_length, layout_for(model)
        settings = {"layout": layout, "columns": columns}
        reader = SequenceReader(histories, length, device, **settings)
        scores = ModelScores(model, reader)
        ranks = rank_targets(scores, targets, filter_seen=params.filter_seen, top_k=TOP_K)
        known = (targets, histories, model.num_items, params, features)
        result = evaluate(ranks, *known)
        baselines = measure_baselines(train, *known)
        details = dict(result.metrics)
        if cold is not None:
            warm = cold.warm_histories(model.num_items)
            warm_scores = ModelScores(model, SequenceReader(warm, length, device, **settings))
            details["cold"] = measure_cold(warm_scores, train, cold, params)

        write_csv(new[EVALUATION] / "ranks.csv", result.ranks)
        write_json(new[EVALUATION] / "model.json", {"sha256": digest_of(MODEL)})
        write_json(new[METRICS], result.headline)
        write_json(new[DETAILS], details)
        write_json(new[BASELINES], baselines)
        write_json(new[INTERVALS], result.intervals)
        tables = {"by_history_length": result.by_length, "by_rank": result.by_rank}
        for name, table in tables.items():
            write_csv(new[TABLES[name]], table)
        draw_training(training, validation, description.best_epoch, new[TRAINING_PLOT])
        draw_by_length(result.by_length, new[BY_LENGTH_PLOT])
        draw_by_rank(result.by_rank, new[BY_RANK_PLOT])
    repeated = result.metrics["full"]["target_in_history"]
    note = note_on_repeats(repeated, filter_seen=params.filter_seen)
    if note:
        print(note)
    for name, metrics in result.metrics.items():
        shown = {key: f"{value:.4f}" for key, value in metrics.items() if key != "users"}
        line = "  ".join(f"{key} {value}" for key, value in shown.items())
        print(f"{name}: {line}  ({metrics['users']:,} users)")
    if cold is not None:
        for line in lines_of(details["cold"]):
            print(line)


if __name__ == "__main__":
    run_stage(main, __doc__)
