"""Recipes: one flag for parameters that belong together; what people chose themselves stands."""

import pytest
from toy_stages import run, set_params
from toys import SECTIONS

from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.choosing import Chosen, with_recipe
from sasrec.training.params import TrainParams
from sasrec.training.recipes import PAPER, RECIPES

every_recipe = pytest.mark.parametrize("recipe", RECIPES)


def chosen(recipe: str, **changes: object) -> Chosen:
    """Of params.yaml with changes as section__key=value."""
    sections = {name: dict(SECTIONS[name]) for name in ("model", "objective", "train")}
    for name, value in ({"train__recipe": recipe} | changes).items():
        section, key = name.split("__")
        sections[section][key] = value
    return with_recipe(
        ModelParams.model_validate(sections["model"]),
        ObjectiveParams.model_validate(sections["objective"]),
        TrainParams.model_validate(sections["train"]),
    )


def values_of(found: Chosen) -> dict[str, object]:
    return {
        f"{section}.{key}": value
        for section in ("model", "objective", "train")
        for key, value in getattr(found, section).model_dump().items()
    }


def test_the_papers_values_are_those_of_params_yaml():
    for name, value in PAPER.items():
        section, key = name.split(".")
        assert SECTIONS[section][key] == value, name


@every_recipe
def test_a_recipe_sets_its_values_and_nothing_else(recipe):
    found, usual = chosen(recipe), chosen("paper")
    assert values_of(found) == values_of(usual) | {"train.recipe": recipe} | RECIPES[recipe]
    found.model.resolve("ml-1m")


@every_recipe
def test_it_names_all_that_it_sets(recipe):
    line = chosen(recipe).line
    if recipe == "paper":
        assert line is None
    else:
        assert line.startswith(f"recipe {recipe}: ")
        assert all(f"{name} {value}" in line for name, value in RECIPES[recipe].items())


def test_what_somebody_chose_stands_and_is_told():
    found = chosen("record", model__num_blocks=5, train__learning_rate=0.01)
    assert found.model.num_blocks == 5
    assert found.train.learning_rate == 0.01
    assert found.model.variant == "ligr"
    end = "; as params.yaml has it: model.num_blocks 5, train.learning_rate 0.01"
    assert found.line.endswith(end)


def test_what_somebody_chose_as_the_recipe_has_it_is_no_choice_against_it():
    assert "as params.yaml" not in chosen("record", model__variant="ligr").line


def test_the_stage_trains_by_it(folder):
    small = {"model__hidden_size": 8, "train__warmup_steps": 2, "train__epochs": 1}
    set_params(folder, train__recipe="record", **small)
    result = run(folder, "train")
    assert result.returncode == 0, result.stderr
    assert "recipe record: objective.loss cross_entropy" in result.stdout
    assert "model.hidden_size 8" in result.stdout.split("as params.yaml has it")[1]


def test_what_does_not_go_together_is_refused(folder):
    set_params(folder, train__recipe="record", model__hidden_size=6)
    result = run(folder, "train")
    assert result.returncode == 1
    assert "hidden_size" in result.stderr.splitlines()[-1]
    assert "num_heads" in result.stderr
    assert "recipe record" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_one_is_refused(folder):
    set_params(folder, train__recipe="best")
    result = run(folder, "train")
    assert result.returncode == 1
    assert "train.recipe = 'best'" in result.stderr
    assert "'record'" in result.stderr
