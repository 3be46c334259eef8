"""Train SASRec and keep the epoch that is best on validation.

Reads   data/split/train/, data/split/valid/, sections `model` and `train` of params.yaml;
        checks the section `evaluate` too
Writes  data/model/          model.safetensors, model.json (what rebuilds it),
                             training.csv, validation.csv (curves, a row an epoch)
        metrics/train.json   best epoch, its validation metrics
        .cache/timings/      speed, which is not the same twice (no output of the stage)
"""

import sasrec.threads  # isort: skip  # noqa: F401, before torch
from functools import partial
from pathlib import Path

from sasrec.block_check import check_blocks
from sasrec.checkpoint import save_model
from sasrec.compiling import compile_for
from sasrec.devices import choose_device, describe_device
from sasrec.distributed import is_launched, launch, world
from sasrec.evaluate_params import EvaluateParams
from sasrec.files import new_folder, read_json, write_csv, write_json
from sasrec.fitting import fit
from sasrec.hyperparameters import ModelParams
from sasrec.lock import only_one
from sasrec.memory import keep_freed_memory
from sasrec.model import SASRec
from sasrec.params import load_params
from sasrec.records import curves, model_description, timing, train_metrics
from sasrec.sequences import Sequences
from sasrec.stage import run_stage
from sasrec.targets import Targets
from sasrec.timings import keep_timing
from sasrec.training import Trainer, TrainParams
from sasrec.validation import validate

TRAIN = Path("data/split/train")
VALID = Path("data/split/valid")
MODEL = Path("data/model")


def main() -> None:
    model_params = load_params("model", ModelParams)
    params = load_params("train", TrainParams)
    load_params("evaluate", EvaluateParams)  # a mistake in it would show only after training
    device = choose_device(params.device)
    dataset = read_json(TRAIN / "dataset.json")
    config = model_params.resolve(dataset["name"])
    num_users, num_items = dataset["num_users"], dataset["num_items"]
    sequences = Sequences.load(TRAIN, num_users=num_users, num_items=num_items)
    targets = Targets.load(VALID, num_users=num_users, num_items=num_items)
    if params.processes > 1 and not is_launched():
        launch(params.processes)
        return

    keep_freed_memory()
    with world(device) as processes, only_one(MODEL, processes.is_first):
        report = partial(print, flush=True) if processes.is_first else _say_nothing
        compile_for(device, config.hidden_size, config.num_heads, report)
        model = SASRec(config, num_items, seed=params.seed)
        trainer = Trainer(model, sequences, params, device, processes)
        report(
            f"training {config.variant} on {dataset['name']}: {len(trainer.users):,} users, "
            f"{num_items:,} items, length {config.max_length}, dropout {config.dropout}, "
            f"{processes.size} process(es) on {describe_device(device)}"
        )
        check_blocks(model)
        history = fit(trainer, lambda: validate(model, trainer.reader, targets), report)
        if processes.is_first:
            with new_folder(MODEL) as folder:
                save_model(folder, model, model_description(dataset, params, history))
                for name, curve in curves(history).items():
                    write_csv(folder / f"{name}.csv", curve)
            metrics = train_metrics(history, config, targets.sampled_name)
            write_json(Path("metrics/train.json"), metrics)
            keep_timing(metrics, timing(history))


def _say_nothing(_: str) -> None:
    """What the processes report that do not write."""


if __name__ == "__main__":
    run_stage(main, __doc__)
