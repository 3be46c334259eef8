"""Print a recipe, a named set of parameters, as `dvc exp run` takes it; without a name, all names.

    dvc exp run $(python stages/recipe.py fast)
    dvc exp run $(python stages/recipe.py record) -S model.num_blocks=2   # what comes later counts

Reads stages/recipes.yaml.
"""

import argparse
import sys
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.base.script import run_main
from sasrec.base.yaml_files import parse_yaml

RECIPES = Path(__file__).with_name("recipes.yaml")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="its name in recipes.yaml")
    name, recipes = parser.parse_args().recipe, parse_yaml(RECIPES.read_bytes())
    if name is None:
        print("\n".join(recipes))
        return
    if name not in recipes:
        print(f"--no-recipe-is-named-{name}")  # or `dvc exp run $(…)` would run without one
        raise UserError(f"{RECIPES.name} has no recipe {name!r}, only {', '.join(recipes)}")
    print(" ".join(f"-S {key}={value}" for key, value in recipes[name].items()))


if __name__ == "__main__":
    sys.exit(run_main(main))
