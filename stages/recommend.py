"""The best next items for a user of the data, or for anyone whose items you name.

    python stages/recommend.py --user 42
    python stages/recommend.py --items 50,181,174 -k 5

Ids are those of the source (raw ids). A user's history is what lies before the test target, or
before the cut by time; items of the history are not recommended. Reads data/model/,
data/interactions/, data/split/test/.
"""

import sasrec.threads  # isort: skip  # noqa: F401, before torch
import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from sasrec.checkpoint import load_model
from sasrec.compiling import prepare
from sasrec.recommending import Catalogue, recommend
from sasrec.sequences import Sequences
from sasrec.stage import run_main

CPU = torch.device("cpu")
MODEL = Path("data/model")
INTERACTIONS = Path("data/interactions")
TEST = Path("data/split/test")


def main() -> None:
    arguments = parse_arguments()
    model = load_model(MODEL, CPU)
    prepare(model, partial(print, file=sys.stderr))
    items = Catalogue.read(INTERACTIONS / "items.csv")
    if arguments.items is not None:
        history = items.numbers(arguments.items.split(","))
    else:
        users = Catalogue.read(INTERACTIONS / "users.csv")
        sequences = Sequences.load(TEST, num_users=len(users.table), num_items=model.num_items)
        history = sequences.of(users.numbers([arguments.user])[0]).tolist()
    best, scores = recommend(model, history, arguments.k)
    print(items.describe(best).assign(score=scores).to_string(index=False))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--user", help="raw id of a user")
    who.add_argument("--items", help="raw ids of items, oldest first, separated by commas")
    parser.add_argument("-k", type=int, default=10, help="how many items (default 10)")
    arguments = parser.parse_args()
    if arguments.k < 1:
        parser.error(f"-k {arguments.k}: expected 1 or more")
    return arguments


if __name__ == "__main__":
    run_main(main)
