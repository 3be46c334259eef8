"""A trained model as two files that describe themselves: weights and what rebuilds the model."""

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.base.files import new_file, read_csv, read_json_as, write_json
from sasrec.data.facts import SplitFacts
from sasrec.model.config import Kernels, ModelConfig
from sasrec.model.known import KnownDescription
from sasrec.model.needs import TOLD, model_needs, untold
from sasrec.model.sasrec import SASRec
from sasrec.model.sizes import MOST

STAGE = "train"  # which writes all of it
WEIGHTS = "model.safetensors"
AGAIN = f"run `python stages/{STAGE}.py` again"
# The columns, by file, that are drawn.
CURVES = {
    "training": ("epoch", "train_loss"),
    "validation": (
        *("epoch", "valid_loss", "sampled_NDCG@10", "sampled_HR@10"),
        *("full_NDCG@10", "full_HR@10"),
    ),
}


class ModelDescription(BaseModel):
    """model.json. What it tells beside this is for people.

    Attributes:
        known: what the model was told of its data.
        data: what the model was trained on, to be compared with what it is used on.
        filter_seen: whether validation left the items of a history out of the ranking.
        kernels: what computed it, as train.kernels says.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, protected_namespaces=())

    config: ModelConfig
    num_items: int = Field(ge=1, le=MOST)
    known: KnownDescription = KnownDescription()
    best_epoch: int = Field(ge=1)
    data: SplitFacts
    filter_seen: bool
    kernels: Kernels


def save_model(folder: Path, model: SASRec, description: dict[str, Any]) -> None:
    """Write model.safetensors (weights by name, and items' genres) and model.json into `folder`.

    model.json holds `config` (the ModelConfig), `num_items`, `known`, and `description`: what the
    model was trained on and how, for people.
    """
    weights = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with new_file(folder / WEIGHTS) as temporary:
        temporary.write_bytes(save(weights))
    content = {"config": model.config.model_dump(), "num_items": model.num_items}
    content["known"] = model.known.describe()
    write_json(folder / "model.json", content | description)


def read_description(folder: Path) -> ModelDescription:
    """What model.json in `folder` says.

    Raises:
        UserError: it is missing or does not describe a model.
    """
    return read_json_as(folder / "model.json", ModelDescription, STAGE)


def digest_of(folder: Path) -> str:
    """The SHA-256 of the weights in `folder`, which names a model among others."""
    with (folder / WEIGHTS).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_curves(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """training.csv and validation.csv, which train leaves beside the model.

    Raises:
        UserError: one is missing, or without what belongs in it.
    """
    training, validation = (
        read_csv(folder / f"{name}.csv", columns, STAGE) for name, columns in CURVES.items()
    )
    return training, validation


def load_model(folder: Path, device: torch.device) -> SASRec:
    """Rebuild what `save_model` wrote, on `device`, ready for ranking.

    Raises:
        UserError: a file is missing, unreadable, or its weights do not fit model.json.
    """
    description = read_description(folder)
    path = folder / WEIGHTS
    weights = _read_weights(path)
    config, num_items = description.config, description.num_items
    _check_known(folder, description)
    known = description.known.blank(num_items)
    with torch.device("meta"):  # before so much memory is taken
        wanted = SASRec(config, num_items, 0, known).state_dict()
    _check_weights(path, weights, wanted)
    _check_genres(path, weights, len(known.genres))
    try:
        model = SASRec(config, num_items, 0, known)
        model.load_state_dict(weights)
    except RuntimeError as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{path} does not fit model.json beside it: {detail}; {AGAIN}") from None
    return model.to(device).eval()


def _check_known(folder: Path, description: ModelDescription) -> None:
    """Raise UserError if the model reads what model.json does not tell of the data."""
    needs = model_needs(description.config)
    for what in untold(needs, description.known):
        raise UserError(
            f"{folder}/model.json: {needs[what]} needs known.{TOLD[what][0]}, which is empty; "
            f"{AGAIN}"
        )


def _check_weights(path: Path, weights: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Raise UserError unless those that are wanted are there, of their shapes and dtypes."""
    for name, weight in wanted.items():
        found, shape = tuple(weights[name].shape) if name in weights else None, tuple(weight.shape)
        if found != shape:
            raise UserError(
                f"{path} does not fit model.json beside it: {name} has the shape {found}, "
                f"expected {shape}; {AGAIN}"
            )
        dtype, expected = weights[name].dtype, str(weight.dtype).removeprefix("torch.")
        if dtype != weight.dtype:
            raise UserError(f"{path}: {name} holds {dtype}, expected {expected}; {AGAIN}")


def _check_genres(path: Path, weights: dict[str, Tensor], num_genres: int) -> None:
    """Raise UserError where a table of items' genres holds another number than theirs."""
    for name, table in weights.items():
        if table.is_floating_point() or not table.numel():
            continue
        low, high = (number.item() for number in table.aminmax())
        if low < 0 or high > num_genres:
            raise UserError(
                f"{path}: {name} has numbers from {low} to {high}, expected 0 to {num_genres}; "
                f"{AGAIN}"
            )


def _read_weights(path: Path) -> dict[str, Tensor]:
    if path.is_dir():
        raise UserError(f"{path} is a folder, expected a file")
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path} not found: run `python stages/{STAGE}.py` first") from None
    except SafetensorError as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{path} is not a readable file of weights: {detail}; {AGAIN}") from None
