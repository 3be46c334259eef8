"""Train SASRec and keep the epoch that is best on validation.

Reads   data/split/train/, data/split/valid/, sections `model`, `objective` and `train` of
        params.yaml, and evaluate.filter_seen; checks the section `evaluate` too
Writes  data/model/          model.safetensors, model.json (what rebuilds it),
                             training.csv, validation.csv (curves, a row an epoch)
        plots/               the same curves, for DVC; while training runs, those so far
        metrics/train.json   best epoch and its NDCG@10 on validation: what DVC's tables show
        metrics/train_details.json   losses, all validation metrics, what `auto` became
        .cache/timings/      speed, which is not the same twice (no output of the stage)
        .cache/checkpoints/  where the same command goes on if training is interrupted, until then
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from sasrec.base.files import write_csv, write_json
from sasrec.base.outputs import Outputs
from sasrec.base.params import load_params
from sasrec.base.script import run_stage
from sasrec.data.facts import SplitFacts, check_same_data, read_split_facts
from sasrec.data.features import read_features
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.machine.devices import choose_device
from sasrec.machine.distributed import check_started, is_launched, launch, world
from sasrec.machine.memory import keep_freed_memory
from sasrec.model.checkpoint import save_model
from sasrec.model.known import known_of
from sasrec.model.needs import GENRES, check_columns_in, check_known, columns_in
from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.validation import validate
from sasrec.training.building import Inputs, build, introduce, needs_of
from sasrec.training.fitting import fit
from sasrec.training.identity import identity_of
from sasrec.training.live_curves import LiveCurves
from sasrec.training.machines import check_same_on_all
from sasrec.training.memory_need import Settings, check_memory
from sasrec.training.new_items import check_features, fill_new_items, fills_new_items
from sasrec.training.params import TrainParams
from sasrec.training.records import curves, model_description, timing, train_details, train_metrics
from sasrec.training.refitting import check_refit, refit, with_targets
from sasrec.training.resuming import keeping, of_processes
from sasrec.training.timings import keep_timing
from sasrec.training.together import check_together

TRAIN = Path("data/split/train")
VALID = Path("data/split/valid")
MODEL = Path("data/model")
METRICS = Path("metrics/train.json")
DETAILS = Path("metrics/train_details.json")
CURVES = {name: Path(f"plots/{name}.csv") for name in ("training", "validation")}
SPLIT_AGAIN = "run `python stages/split.py` again"
OUTPUTS = Outputs(MODEL, folders=(MODEL,), files=(METRICS, DETAILS, *CURVES.values()))


def main() -> None:
    model_params = load_params("model", ModelParams)
    objective_params = load_params("objective", ObjectiveParams)
    params = load_params("train", TrainParams)
    check_started(params.processes)
    evaluate_params = load_params("evaluate", EvaluateParams)
    choose_device(evaluate_params.device, key="evaluate.device")  # or it fails after training
    device = choose_device(params.device)
    settings, inputs = read_inputs(model_params, objective_params, params)
    if not is_launched():
        check_memory(settings, inputs.sequences, inputs.dataset.num_items, device)
    live = LiveCurves(CURVES)
    if params.processes > 1 and not is_launched():
        with of_processes(), OUTPUTS.of_children(), live.until_replaced():
            launch(params.processes)
        return

    keep_freed_memory()
    filter_seen = evaluate_params.filter_seen
    with ExitStack() as stack:
        processes = stack.enter_context(world(device))
        report = partial(print, flush=True) if processes.is_first else _say_nothing
        identity = partial(
            identity_of,
            *(settings, filter_seen, (TRAIN, VALID), device, processes, Path(__file__)),
        )
        check_same_on_all(identity, processes)
        keeper = stack.enter_context(keeping(identity, processes, report))
        progress, watchers, new = keeper.progress, [keeper], None
        if processes.is_first:
            new = stack.enter_context(OUTPUTS.new())
            stack.enter_context(live.until_replaced())
            watchers.append(live)
        trainer = build(
            *(settings, inputs.sequences, inputs.dataset.num_items, device),
            processes=processes,
            report=report,
        )
        for line in introduce(trainer, inputs, filter_seen):
            report(line)
        validation = partial(
            validate,
            *(trainer.model, trainer.reader, inputs.targets, trainer.objective.loss),
            filter_seen=filter_seen,
        )
        history = progress.history
        if not progress.refitted:
            keeper.restore(trainer)
            history = fit(trainer, validation, report, progress, watchers)
        refitted, filled, sequences = None, None, inputs.sequences
        if params.refit:
            sequences = with_targets(sequences, inputs.targets)
            trainer = build(
                *(settings, sequences, inputs.dataset.num_items, device),
                processes=processes,
                report=_say_nothing,
                compared=True,
            )
            keeper.restore(trainer)
            refitted = refit(trainer, progress, report, watchers)
        if fills_new_items(params):
            filled = fill_new_items(trainer.model, inputs.features, sequences)
            report(f"{filled:,} items that training never saw: embeddings from genres and years")
        if new is not None:
            description = model_description(
                *(inputs.dataset, params, objective_params, history),
                filter_seen=filter_seen,
                filled=filled,
            )
            save_model(new[MODEL], trainer.model, description)
            for name, curve in curves(history).items():
                for path in (new[MODEL] / f"{name}.csv", new[CURVES[name]]):
                    write_csv(path, curve)
            sampled_name = inputs.targets.sampled_name
            details = train_details(history, settings.model, sampled_name, refitted)
            write_json(new[DETAILS], details)
            write_json(new[METRICS], train_metrics(details))
            keep_timing(details, timing(history))


def read_facts() -> SplitFacts:
    facts = read_split_facts(TRAIN)
    check_same_data(
        facts, read_split_facts(VALID), known_path=TRAIN, found_path=VALID, remedy=SPLIT_AGAIN
    )
    return facts


def read_inputs(
    model_params: ModelParams, objective_params: ObjectiveParams, params: TrainParams
) -> tuple[Settings, Inputs]:
    """What split left, and the parameters with what they leave to the data."""
    dataset = read_facts()
    settings = Settings(model_params.resolve(dataset.name), objective_params, params)
    check_together(settings)
    needs = needs_of(settings)
    check_columns_in(needs, dataset)
    if params.refit:
        check_refit(needs)
    sizes = {"num_users": dataset.num_users, "num_items": dataset.num_items}
    sequences = Sequences.load(TRAIN, **sizes, columns=columns_in(needs))
    features = read_features(TRAIN) if GENRES in needs or fills_new_items(params) else None
    known = known_of(sequences, features)
    check_known(needs, known, dataset.name)
    if fills_new_items(params):
        check_features(features, dataset.name)
    inputs = Inputs(dataset, sequences, Targets.load(VALID, **sizes), features)
    return settings._replace(known=known), inputs


def _say_nothing(_: str) -> None:
    """What the processes report that do not write."""


if __name__ == "__main__":
    run_stage(main, __doc__)
