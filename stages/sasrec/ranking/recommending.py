"""The best next items after a history, by the model's scores.

Shapes: L interactions of a history.
"""

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch
from sasrec.batching.layout import lay_out_fixed
from sasrec.data.facts import check_same_data, read_dataset_facts, read_split_facts
from sasrec.data.interactions import read_interactions
from sasrec.data.sequences import COLUMNS, Sequences
from sasrec.model.checkpoint import ModelDescription
from sasrec.model.needs import columns_in, model_needs
from sasrec.model.sasrec import SASRec
from sasrec.model.time_gap import NOT_KNOWN

UNKNOWN = {"rating": math.nan, "timestamp": NOT_KNOWN}  # as models read it, by name of COLUMNS


class History(NamedTuple):
    """What is continued, oldest first.

    Attributes:
        items: ids, of L interactions.
        columns: what else the model reads of them, [L] each, by the names of COLUMNS.
    """

    items: list[int]
    columns: Mapping[str, np.ndarray]

    @classmethod
    def of_items(cls, items: list[int], columns: Collection[str]) -> "History":
        """Of items of which no more is known."""
        unknown = {name: np.full(len(items), UNKNOWN[name], COLUMNS[name]) for name in columns}
        return cls(items, unknown)

    @classmethod
    def of_user(cls, user: int, sequences: Sequences, columns: Collection[str]) -> "History":
        """Of a user of `sequences`, which have these columns."""
        own = slice(*sequences.offsets[user : user + 2])
        known = {name: np.array(sequences.columns[name][own]) for name in columns}
        return cls(sequences.of(user).tolist(), known)


def check_data_of_model(description: ModelDescription, model: Path, interactions: Path) -> None:
    """Raise UserError unless `interactions` holds the data that the model in `model` is of."""
    facts = read_dataset_facts(interactions, stage="preprocess")
    check_same_data(
        description.data, facts, known_path=model, found_path=interactions, remedy="run `dvc repro`"
    )


def whole_history(user: int, description: ModelDescription, interactions: Path) -> History:
    """All interactions of `user`."""
    sequences = read_interactions(interactions).sequences
    return History.of_user(user, sequences, columns_in(model_needs(description.config)))


def history_before_test(
    user: int, description: ModelDescription, model: Path, test: Path
) -> History:
    """The interactions of `user` before the test target or the cut by time.

    Raises:
        UserError: there are none, or `test` is of another split than the model.
    """
    facts = read_split_facts(test)
    check_same_data(
        description.data, facts, known_path=model, found_path=test, remedy="run `dvc repro`"
    )
    columns = columns_in(model_needs(description.config))
    histories = Sequences.load(
        test, num_users=facts.num_users, num_items=facts.num_items, columns=columns
    )
    history = History.of_user(user, histories, columns)
    if not history.items:
        raise UserError(
            "no interaction of this user lies before the cut: leave --before-test out, or name "
            "items by --items"
        )
    return history


@torch.inference_mode()
def recommend(
    model: SASRec, history: History, k: int, *, filter_seen: bool = True
) -> tuple[list[int], list[float]]:
    """The `k` items that score best after `history`, best first.

    Only the latest `max_length` interactions count, and there are fewer than `k` where the
    catalogue ends. Works for any history, also of a user not trained on.

    Args:
        filter_seen: return none of the history's items, as in ranking by `evaluate.filter_seen`.

    Returns: item ids and their scores.

    Raises:
        UserError: the history is empty, or a score is NaN or infinite.
    """
    if not history.items:
        raise UserError("the history is empty: the model recommends what comes after some item")
    latest = slice(-model.config.max_length, None)
    recent = history.items[latest]
    layout = lay_out_fixed(torch.tensor([len(recent)]), len(recent))
    columns = {name: torch.from_numpy(column[latest]) for name, column in history.columns.items()}
    state = model.last_states(Batch(torch.tensor(recent), layout, columns))  # [1, D]
    scores = (state @ model.scoring_embedding.T).squeeze(0)
    if not torch.isfinite(scores).all():
        raise UserError("the model's scores hold NaN or infinite values: training diverged")
    scores[[0, *history.items] if filter_seen else [0]] = -torch.inf
    best = scores.topk(min(k, int((scores > -torch.inf).sum())))
    return best.indices.tolist(), best.values.tolist()
