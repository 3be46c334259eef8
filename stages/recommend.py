"""The best next items for a user of the data, or for anyone whose items you name.

    python stages/recommend.py --user 42
    python stages/recommend.py --items 50,181,174 -k 5

Ids are those of the source (raw ids). All that is known of a user counts; with --before-test only
what lies before the test target, or before the cut by time. Items of the history are recommended
only if the model was validated so (evaluate.filter_seen: false). Reads data/model/,
data/interactions/; with --before-test also data/split/test/.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from sasrec.base.errors import printable
from sasrec.base.script import run_main
from sasrec.data.catalogue import ITEMS, USERS, Catalogue
from sasrec.kernels.prepare import prepare
from sasrec.model.checkpoint import load_model, read_description
from sasrec.model.needs import columns_in, model_needs
from sasrec.ranking.recommending import (
    History,
    check_data_of_model,
    history_before_test,
    recommend,
    whole_history,
)

CPU = torch.device("cpu")
MODEL = Path("data/model")
INTERACTIONS = Path("data/interactions")
TEST = Path("data/split/test")


def main() -> None:
    arguments = parse_arguments()
    description = read_description(MODEL)
    check_data_of_model(description, MODEL, INTERACTIONS)
    items = Catalogue.read(INTERACTIONS / ITEMS)
    if arguments.items is not None:
        columns = columns_in(model_needs(description.config))
        history = History.of_items(items.ids_of(arguments.items.split(",")), columns)
        for name in columns:
            print(f"Mind: the {name} of these items is not known to the model", file=sys.stderr)
    else:
        (user,) = Catalogue.read(INTERACTIONS / USERS).ids_of([arguments.user])
        if arguments.before_test:
            history = history_before_test(user, description, MODEL, TEST)
        else:
            history = whole_history(user, description, INTERACTIONS)
    model = load_model(MODEL, CPU)
    prepare(model, kernels=description.kernels, report=partial(print, file=sys.stderr))
    best, scores = recommend(model, history, arguments.k, filter_seen=description.filter_seen)
    table = items.describe(best).map(printable).assign(score=scores)
    print(table.to_string(index=False))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="raw id of a user")
    who.add_argument("--items", help="raw ids of items, oldest first, separated by commas")
    parser.add_argument("-k", type=int, default=10, help="how many items (default 10)")
    parser.add_argument(
        "--before-test",
        action="store_true",
        help="with --user: continue the history before the test target, as evaluate does",
    )
    arguments = parser.parse_args()
    if arguments.k < 1:
        parser.error(f"-k {arguments.k}: expected 1 or more")
    if arguments.before_test and arguments.user is None:
        parser.error("--before-test goes with --user")
    return arguments


if __name__ == "__main__":
    run_main(main)
