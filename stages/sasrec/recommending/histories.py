"""What is continued: sequences of all users, or of one whose items are named."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from sasrec.data.facts import check_same_data, read_dataset_facts, read_split_facts
from sasrec.data.interactions import read_interactions
from sasrec.data.sequences import COLUMNS, Sequences
from sasrec.model.checkpoint import ModelDescription
from sasrec.model.needs import columns_in, model_needs
from sasrec.model.time_gap import NOT_KNOWN
from sasrec.ranking.baselines.item_scores import popularity_of

REMEDY = "run `dvc repro`"
UNKNOWN = {"rating": math.nan, "timestamp": NOT_KNOWN}  # as models read it, by name of COLUMNS


def check_data_of_model(description: ModelDescription, model: Path, interactions: Path) -> None:
    """Raise UserError unless `interactions` holds the data that the model in `model` is of."""
    facts = read_dataset_facts(interactions, stage="preprocess")
    check_same_data(
        description.data, facts, known_path=model, found_path=interactions, remedy=REMEDY
    )


def typed_history(items: Sequence[int], columns: Collection[str]) -> Sequences:
    """A user 1 with these items, oldest first, of which no more is known."""
    unknown = {name: np.full(len(items), UNKNOWN[name], COLUMNS[name]) for name in columns}
    users = np.ones(len(items), np.int64)
    return Sequences.from_interactions(users, np.array(items, np.int32), 1, unknown)


def whole_histories(interactions: Path) -> Sequences:
    """All that is known of every user."""
    return read_interactions(interactions).sequences


def histories_before_test(description: ModelDescription, model: Path, test: Path) -> Sequences:
    """The interactions of every user before the test target, or before the cut by time.

    Raises:
        UserError: `test` is of another split than the model.
    """
    columns = columns_in(model_needs(description.config))
    return _read_split(description, model, test, columns)


def popularity_in_training(description: ModelDescription, model: Path, train: Path) -> np.ndarray:
    """int64 [N + 1]: how often each item occurs in the training sequences.

    Raises:
        UserError: `train` is of another split than the model.
    """
    return popularity_of(_read_split(description, model, train), description.num_items)


def _read_split(
    description: ModelDescription, model: Path, folder: Path, columns: Collection[str] = ()
) -> Sequences:
    facts = read_split_facts(folder)
    check_same_data(description.data, facts, known_path=model, found_path=folder, remedy=REMEDY)
    sizes = {"num_users": facts.num_users, "num_items": facts.num_items}
    return Sequences.load(folder, **sizes, columns=columns)


def without_each(sequences: Sequences, user: int, items: np.ndarray, max_length: int) -> Sequences:
    """The history of `user` without one of `items` (int [V]) at a time, wherever that occurs.

    What follows moves up, and of what lies before the latest `max_length` as much comes in as went
    out: what the model would see had the user never taken that item.

    Returns: users 1 to V, and the whole history as user V + 1; `max_length` items at the most.
    """
    begin, end = sequences.offsets[user : user + 2]
    own = sequences.items[begin:end]
    places = [np.flatnonzero(own != item)[-max_length:] for item in items]
    places.append(np.arange(len(own))[-max_length:])
    users = np.repeat(np.arange(1, len(places) + 1), [len(one) for one in places])
    where = begin + np.concatenate(places)
    columns = {name: column[where] for name, column in sequences.columns.items()}
    return Sequences.from_interactions(users, sequences.items[where], len(places), columns)
