"""The parameters that a training goes by: those of params.yaml, and of the recipe that it names."""

from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from sasrec.base.errors import UserError
from sasrec.base.params import PARAMS_FILE, Section, explain
from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.params import TrainParams
from sasrec.training.recipes import PAPER, RECIPES

S = TypeVar("S", bound=Section)


class Chosen(NamedTuple):
    """Parameters with the recipe's; and what it set and what it left, in words, or None."""

    model: ModelParams
    objective: ObjectiveParams
    train: TrainParams
    line: str | None


def with_recipe(model: ModelParams, objective: ObjectiveParams, train: TrainParams) -> Chosen:
    """Put the values of `train.recipe` in the place of the paper's; others stay.

    Raises:
        UserError: the recipe's values and what params.yaml has beside them do not go together.
    """
    values = RECIPES[train.recipe]
    sections = {"model": model, "objective": objective, "train": train}
    given = {
        f"{name}.{key}": value
        for name, section in sections.items()
        for key, value in section.model_dump().items()
    }
    sets = {key: value for key, value in values.items() if given[key] == PAPER[key]}
    own = {key: given[key] for key in values if given[key] not in (PAPER[key], values[key])}
    line = f"recipe {train.recipe}: {_list(sets)}" if values else None
    if own:
        line = f"{line}; as params.yaml has it: {_list(own)}"
    return Chosen(*(_with(section, name, sets, line) for name, section in sections.items()), line)


def _with(section: S, name: str, sets: dict[str, Any], line: str | None) -> S:
    own = {key.split(".")[1]: value for key, value in sets.items() if key.split(".")[0] == name}
    try:
        return type(section).model_validate(section.model_dump() | own)
    except ValidationError as error:
        wrong = explain(name, type(section), error)
        raise UserError(f"{PARAMS_FILE}: {wrong} (with {line})") from None


def _list(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items()) or "nothing"
