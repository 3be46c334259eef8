"""The best next items after a history, by the model's scores."""

from pathlib import Path

import torch

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch
from sasrec.batching.layout import lay_out_fixed
from sasrec.data.facts import check_same_data, read_dataset_facts, read_split_facts
from sasrec.data.interactions import read_interactions
from sasrec.data.sequences import Sequences
from sasrec.model.checkpoint import ModelDescription
from sasrec.model.sasrec import SASRec


def check_data_of_model(description: ModelDescription, model: Path, interactions: Path) -> None:
    """Raise UserError unless `interactions` holds the data that the model in `model` is of."""
    facts = read_dataset_facts(interactions, stage="preprocess")
    check_same_data(
        description.data, facts, known_path=model, found_path=interactions, remedy="run `dvc repro`"
    )


def whole_history(user: int, interactions: Path) -> list[int]:
    """All items of `user`, oldest first."""
    return read_interactions(interactions).sequences.of(user).tolist()


def history_before_test(
    user: int, description: ModelDescription, model: Path, test: Path
) -> list[int]:
    """The items of `user` before the test target or the cut by time, oldest first.

    Raises:
        UserError: there are none, or `test` is of another split than the model.
    """
    facts = read_split_facts(test)
    check_same_data(
        description.data, facts, known_path=model, found_path=test, remedy="run `dvc repro`"
    )
    histories = Sequences.load(test, num_users=facts.num_users, num_items=facts.num_items)
    history = histories.of(user).tolist()
    if not history:
        raise UserError(
            "no interaction of this user lies before the cut: leave --before-test out, or name "
            "items by --items"
        )
    return history


@torch.inference_mode()
def recommend(
    model: SASRec, history: list[int], k: int, *, filter_seen: bool = True
) -> tuple[list[int], list[float]]:
    """The `k` items that score best after `history` (ids, oldest first), best first.

    Only the latest `max_length` items count, and there are fewer than `k` where the catalogue
    ends. Works for any history, also of a user not trained on.

    Args:
        filter_seen: return none of `history`, as in ranking by `evaluate.filter_seen`.

    Returns: item ids and their scores.

    Raises:
        UserError: the history is empty, or a score is NaN or infinite.
    """
    if not history:
        raise UserError("the history is empty: the model recommends what comes after some item")
    recent = history[-model.config.max_length :]
    layout = lay_out_fixed(torch.tensor([len(recent)]), len(recent))
    state = model.last_states(Batch(torch.tensor(recent), layout))  # [1, D]
    scores = (state @ model.scoring_embedding.T).squeeze(0)
    if not torch.isfinite(scores).all():
        raise UserError("the model's scores hold NaN or infinite values: training diverged")
    scores[[0, *history] if filter_seen else [0]] = -torch.inf
    best = scores.topk(min(k, int((scores > -torch.inf).sum())))
    return best.indices.tolist(), best.values.tolist()
