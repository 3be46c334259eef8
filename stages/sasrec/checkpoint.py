"""A trained model as two files that describe themselves: weights and what rebuilds the model."""

from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from sasrec.errors import UserError
from sasrec.files import new_file, read_json, write_json
from sasrec.model import ModelConfig, SASRec


def save_model(folder: Path, model: SASRec, description: dict[str, Any]) -> None:
    """Write model.safetensors (float32 weights by name) and model.json into `folder`.

    model.json holds `config` (the ModelConfig), `num_items`, and `description`: what the model
    was trained on and how, for people.
    """
    weights = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    with new_file(folder / "model.safetensors") as temporary:
        temporary.write_bytes(save(weights))
    content = {"config": model.config.model_dump(), "num_items": model.num_items} | description
    write_json(folder / "model.json", content)


def load_model(folder: Path, device: torch.device) -> SASRec:
    """Rebuild what `save_model` wrote, on `device`, ready for ranking.

    Raises:
        UserError: a file is missing, unreadable, or its weights do not fit model.json.
    """
    description = read_json(folder / "model.json")
    path = folder / "model.safetensors"
    try:
        config = ModelConfig.model_validate(description["config"])
        model = SASRec(config, description["num_items"], seed=0)
        model.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise UserError(f"{path} not found: run `python stages/train.py` first") from None
    except (KeyError, TypeError, ValidationError) as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{folder}/model.json does not describe a model: {detail}") from None
    except (SafetensorError, RuntimeError) as error:
        detail = " ".join(str(error).split())
        raise UserError(f"{path} does not fit model.json beside it: {detail}") from None
    return model.to(device).eval()
