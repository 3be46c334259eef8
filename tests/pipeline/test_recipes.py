"""Recipes: what `dvc exp run` makes of them, and what their page says."""

import re
import shlex
import subprocess
import sys

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from pages import blocks
from places import ROOT, STAGES

from sasrec.base.params import load_params
from sasrec.model.params import ModelParams
from sasrec.objectives.params import ObjectiveParams
from sasrec.training.params import TrainParams

RECIPES = yaml.safe_load((STAGES / "recipes.yaml").read_text("utf-8"))
PARAMS = ROOT / "params.yaml"
PAGE = ROOT / "docs/recipes.md"
KINDS = {"model": ModelParams, "objective": ObjectiveParams, "train": TrainParams}

every_recipe = pytest.mark.parametrize("recipe", RECIPES)


def printed(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(STAGES / "recipe.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def flags_of(text: str) -> list[str]:
    """Values of -S, of nothing but such flags."""
    words = shlex.split(text)
    assert words[::2] == ["-S"] * (len(words) // 2)
    return words[1::2]


def values_in(path) -> dict[str, object]:
    """By `section.key`, as the stages read them."""
    return {
        f"{section}.{key}": value
        for section, kind in KINDS.items()
        for key, value in load_params(section, kind, path).model_dump().items()
    }


@every_recipe
def test_dvc_sets_what_a_recipe_says_and_nothing_else(recipe, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(PARAMS.read_bytes())
    own = ["model.num_blocks=5"]  # comes later, so it counts
    apply_overrides(path, [*flags_of(printed(recipe).stdout), *own])
    expected = values_in(PARAMS) | RECIPES[recipe] | {"model.num_blocks": 5}
    assert values_in(path) == expected


@every_recipe
def test_a_recipe_names_only_what_it_changes(recipe):
    before = values_in(PARAMS)
    assert {key for key, value in RECIPES[recipe].items() if before[key] == value} == set()


def test_names_are_listed():
    assert printed().stdout.split() == list(RECIPES)


def test_an_unknown_one_stops_dvc_too():
    result = printed("best")
    assert result.returncode == 1
    assert "no recipe 'best', only fast, record" in result.stderr
    command = [sys.executable, "-m", "dvc", "exp", "run", *result.stdout.split()]
    dvc = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert dvc.returncode != 0
    assert "--no-recipe-is-named-best" in dvc.stderr + dvc.stdout


def test_the_page_has_their_values():
    rows = re.findall(
        r"^\| `(\w+\.\w+)` \| (.*?) \| (.*?) \| (.*?) \|", PAGE.read_text("utf-8"), re.M
    )
    before, shown = values_in(PARAMS), {"fast": {}, "record": {}}
    for key, paper, *cells in rows:
        assert yaml.safe_load(paper) == before[key], key
        for recipe, cell in zip(shown, cells, strict=True):
            if cell.strip():
                shown[recipe][key] = yaml.safe_load(cell)
    assert shown == RECIPES


def test_its_commands_name_recipes():
    text = "".join(blocks(PAGE, "bash"))
    named = re.findall(r"recipe\.py (\w+)", text)
    assert named
    assert set(named) <= set(RECIPES)
