"""Cutting interactions into training sequences, validation targets and test targets.

`leave_one_out` (the paper, section IV-A): a user's last interaction is the test target, the last
but one the validation target. `time`: one cut in time for all users, so that nobody is trained on
what lies in another's future; the target is a user's first interaction after the cut.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from sasrec.base.errors import UserError
from sasrec.base.params import Section
from sasrec.data.sequences import Sequences


class SplitParams(Section):
    """The params section `split`."""

    strategy: Literal["leave_one_out", "time"]
    valid_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1)
    num_candidates: int = Field(ge=1)
    cold_items: float = Field(ge=0, le=0.5)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "SplitParams":
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"valid_fraction = {self.valid_fraction} and test_fraction = "
                f"{self.test_fraction} leave nothing to train on: expected a sum below 1"
            )
        return self

    @model_validator(mode="after")
    def _cold_items_of_leave_one_out(self) -> "SplitParams":
        if self.cold_items and self.strategy != "leave_one_out":
            raise ValueError(
                f"cold_items = {self.cold_items} is for strategy leave_one_out: with a cut in time "
                "what is new after it is not drawn at random; expected 0.0"
            )
        return self


@dataclass(frozen=True)
class Split:
    """What `cut` returns; `ends` are int64 [U + 1], indices into the interactions.

    Attributes:
        whole: every user's interactions.
        train_ends: training is whole.items[offsets[u]:train_ends[u]].
        valid_users, test_users: int64, users who have a target, ascending.
        test_ends: at a test user u, the index of the target; the test history is all of the
            user's interactions before it. The validation target is at train_ends[u], and its
            history is the training sequence.
    """

    whole: Sequences
    train_ends: np.ndarray
    valid_users: np.ndarray
    test_users: np.ndarray
    test_ends: np.ndarray

    @property
    def unseen_share(self) -> float:
        """The share of test targets whose item is in no training sequence."""
        trained = np.zeros(int(self.whole.items.max()) + 1, dtype=bool)
        trained[self.prefixes(self.train_ends).items] = True
        return float(np.mean(~trained[self.whole.items[self.test_ends[self.test_users]]]))

    def prefixes(self, ends: np.ndarray) -> Sequences:
        """Each user's interactions before `ends` (int64 [U + 1])."""
        position = np.arange(len(self.whole.items))
        return self.whole.where(position < np.repeat(ends, self.whole.lengths))


def cut(sequences: Sequences, params: SplitParams) -> Split:
    """Cut `sequences`, every user's interactions in order of time, as `params.strategy` says.

    Raises:
        UserError: the time strategy without time stamps, or no target or no training is left.
    """
    if params.strategy == "time":
        timestamps = sequences.columns.get("timestamp")
        if timestamps is None:
            raise UserError(
                "split.strategy = 'time' needs time stamps, which this dataset does not have; "
                "use leave_one_out"
            )
        split = _cut_by_time(sequences, timestamps, params)
    else:
        split = _leave_one_out(sequences)
    trained = int((split.train_ends - sequences.offsets[:-1] >= 2).sum())
    if not (trained and len(split.valid_users) and len(split.test_users)):
        raise UserError(
            f"split.strategy = {params.strategy!r} leaves {trained} users to train on, "
            f"{len(split.valid_users)} to validate and {len(split.test_users)} to test: "
            "expected at least one of each (a user needs 3 interactions)"
        )
    return split


def _leave_one_out(sequences: Sequences) -> Split:
    ends = sequences.offsets[1:]
    users = np.flatnonzero(sequences.lengths >= 3)
    train_ends, test_ends = ends.copy(), ends.copy()
    train_ends[users] -= 2
    test_ends[users] -= 1
    return Split(sequences, train_ends, users, users, test_ends)


def _cut_by_time(sequences: Sequences, timestamps: np.ndarray, params: SplitParams) -> Split:
    """Cut at the time before which 1 - valid - test of all interactions lie, and at 1 - test."""
    ordered = np.sort(timestamps)
    count = len(ordered)
    after_train = int(count * (1 - params.valid_fraction - params.test_fraction))
    first, second = (
        ordered[min(place, count - 1)]
        for place in (after_train, int(count * (1 - params.test_fraction)))
    )
    train_ends = _ends_before(sequences, timestamps, first)
    test_ends = _ends_before(sequences, timestamps, second)
    starts, ends = sequences.offsets[:-1], sequences.offsets[1:]
    valid_users = np.flatnonzero((train_ends > starts) & (train_ends < test_ends))
    test_users = np.flatnonzero((test_ends > starts) & (test_ends < ends))
    return Split(sequences, train_ends, valid_users, test_users, test_ends)


def _ends_before(sequences: Sequences, timestamps: np.ndarray, moment: int) -> np.ndarray:
    """int64 [U + 1]: the index after each user's last interaction earlier than `moment`."""
    earlier = np.concatenate([[0], np.cumsum(timestamps < moment)])
    starts, ends = sequences.offsets[:-1], sequences.offsets[1:]
    return starts + earlier[ends] - earlier[starts]
