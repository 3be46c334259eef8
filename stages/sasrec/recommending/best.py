"""The best items for many users, a bounded block of scores at a time.

Shapes: B users of a chunk, N items, k items a list.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.ranking.ranks import MAX_SCORES, leave_out
from sasrec.ranking.scoring import Scorer

MAX_USERS = 128  # of a chunk: more gain nothing
MAX_ROWS = 1 << 17  # of the lists of a chunk


@dataclass(frozen=True)
class Choice:
    """What may be recommended.

    Attributes:
        k: how many items a list.
        allowed: bool [N + 1], False for padding.
        filter_seen: leave out the items of the user's history.
    """

    k: int
    allowed: np.ndarray
    filter_seen: bool

    @cached_property
    def length(self) -> int:
        """Of a list: k, or as many items as are allowed."""
        return min(self.k, int(self.allowed.sum()))

    @cached_property
    def left_out(self) -> Tensor:
        """int64: the items that are not allowed, and padding."""
        return torch.from_numpy(np.flatnonzero(~self.allowed))


class Best(NamedTuple):
    """The lists of a chunk.

    Attributes:
        users: int64 [B].
        items: int64 [B, k], best first; 0 where a list ends early.
        scores: float32 [B, k]: the model's, or how often an item occurs in training.
        by_model: bool [B]; the others have no history, and get what is popular.
    """

    users: np.ndarray
    items: np.ndarray
    scores: np.ndarray
    by_model: np.ndarray

    def parts(self, size: int) -> Iterator["Best"]:
        """The same lists, `size` at a time."""
        for start in range(0, len(self.users), size):
            yield Best(*(column[start : start + size] for column in self))


def best_items(
    scorer: Scorer,
    users: np.ndarray,
    choice: Choice,
    popularity: Callable[[], np.ndarray],
) -> Iterator[Best]:
    """The lists of `users` (int [U], 0 for one without a history), in their order.

    A chunk's scores take 64 MiB, or those of one user if they are more.

    Args:
        popularity: gives int64 [N + 1]; called only if somebody has no history.

    Raises:
        UserError: a score is NaN or infinite.
    """
    lengths = scorer.histories.lengths
    rows = MAX_ROWS // max(1, choice.length)
    size = int(np.clip(min(MAX_SCORES // (scorer.num_items + 1), rows), 1, MAX_USERS))
    popular: tuple[np.ndarray, np.ndarray] | None = None
    for start in range(0, len(users), size):
        chunk = np.asarray(users[start : start + size], np.int64)
        by_model = lengths[chunk] > 0
        shape = (len(chunk), choice.length)
        items, scores = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        if by_model.any():
            items[by_model], scores[by_model] = _by_model(scorer, chunk[by_model], choice)
        if not by_model.all():
            popular = popular or most_popular(popularity(), choice)
            items[~by_model], scores[~by_model] = popular
        yield Best(chunk, items, scores, by_model)


def most_popular(popularity: np.ndarray, choice: Choice) -> tuple[np.ndarray, np.ndarray]:
    """The allowed items that occur most often, and how often: [k] each; of equals the older id."""
    order = np.argsort(-popularity, kind="stable")
    items = order[choice.allowed[order]][: choice.length]
    return items, popularity[items].astype(np.float32)


@torch.inference_mode()
def _by_model(scorer: Scorer, users: np.ndarray, choice: Choice) -> tuple[np.ndarray, np.ndarray]:
    """Items and scores of users who have a history, [B, k] each."""
    rows, scores = scorer.scores(users)
    scores.index_fill_(1, choice.left_out, -torch.inf)
    if choice.filter_seen:
        leave_out(scores, [scorer.histories.of(user) for user in rows])
    best = scores.topk(choice.length)
    items = torch.where(best.values > -torch.inf, best.indices, 0).numpy()
    back = np.empty(len(users), np.int64)  # the scores may be in another order of users
    back[np.argsort(users, kind="stable")] = np.argsort(rows, kind="stable")
    return items[back], best.values.numpy()[back]
