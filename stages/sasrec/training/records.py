"""What train writes about a training: metrics, curves, and the model's description."""

from typing import Any

import pandas as pd

from sasrec.base.rounding import rounded
from sasrec.data.facts import SplitFacts
from sasrec.model.config import ModelConfig
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.fitting import History
from sasrec.training.params import TrainParams
from sasrec.training.trainer import EpochStats


def train_details(
    history: History,
    config: ModelConfig,
    sampled_name: str,
    refitted: EpochStats | None = None,
) -> dict[str, Any]:
    """metrics/train_details.json; `hyperparameters` are what params.yaml's `auto` became.

    Args:
        refitted: the last epoch of refitting, where the model was refitted.
    """
    best = history.best
    details = {
        "best_epoch": history.best_epoch,
        "epochs": len(history.epochs),
        "train_loss": history.epochs[history.best_epoch - 1].loss,
        "valid": {"loss": best.loss, sampled_name: best.sampled, "full": best.full},
        "hyperparameters": {"max_length": config.max_length, "dropout": config.dropout},
    }
    if refitted:
        details["refit"] = {"train_loss": refitted.loss, "interactions": refitted.interactions}
    return rounded(details)


def train_metrics(details: dict[str, Any]) -> dict[str, Any]:
    """metrics/train.json, the few numbers that tables of experiments show."""
    valid = {
        protocol: {"NDCG@10": values["NDCG@10"]}
        for protocol, values in details["valid"].items()
        if protocol != "loss"
    }
    return {"best_epoch": details["best_epoch"], "valid": valid}


def timing(history: History) -> dict[str, float | int]:
    """How fast it was, which no two runs share: kept apart from the metrics (see timings.py)."""
    return {
        "seconds_per_epoch": round(history.seconds_per_epoch, 4),
        "interactions_per_second": round(history.interactions_per_second),
    }


def model_description(
    data: SplitFacts,
    params: TrainParams,
    objective: ObjectiveParams,
    history: History,
    *,
    filter_seen: bool,
    filled: int | None = None,
) -> dict[str, Any]:
    """What model.json tells beside what rebuilds the model; nothing that varies by run.

    Args:
        data: what it was trained on.
        filter_seen: as validation ranked.
        filled: how many items have embeddings from their content; None where that was not asked.
    """
    description = {
        "best_epoch": history.best_epoch,
        "data": data.model_dump(),
        "filter_seen": filter_seen,
        "kernels": params.kernels,
        "objective": objective.model_dump(),
        "train": params.model_dump(exclude={"kernels"}),
    }
    return description if filled is None else description | {"items_from_content": filled}


def curves(history: History) -> dict[str, pd.DataFrame]:
    """By epoch: `training` has the loss, `validation` the loss and metrics by both protocols."""
    training = pd.DataFrame(
        {
            "epoch": range(1, len(history.epochs) + 1),
            "train_loss": [epoch.loss for epoch in history.epochs],
        }
    )
    rows = []
    for epoch, validation in history.validations.items():
        row: dict[str, float] = {"epoch": epoch, "valid_loss": validation.loss}
        for protocol in ("sampled", "full"):
            metrics = getattr(validation, protocol)
            row |= {f"{protocol}_{name}": value for name, value in metrics.items()}
        rows.append(row)
    return {"training": training.round(6), "validation": pd.DataFrame(rows).round(6)}
