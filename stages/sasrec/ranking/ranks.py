"""Ranking targets among sampled candidates and among all items: one function for both.

Shapes: B users of a chunk, N items, K candidates, E users with a target.

A target's rank is 1 + the candidates that score strictly higher + half of those that tie with it,
the mean rank under random tie-breaking: a model that scores everything alike gets chance, never a
perfect result. Scores are computed for a chunk of users and all items at once, and the chunk
shrinks as the catalogue grows, so memory stays bounded. On the CPU every thread has its own chunk.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.data.targets import Targets
from sasrec.machine.parallel import map_in_threads
from sasrec.objectives.losses import Loss
from sasrec.ranking.scoring import Scorer

# Scores of a chunk; each thread has one, and twice that at its peak: 2^24 floats are 64 MiB.
MAX_SCORES = 1 << 24
MANY_REPEATS = 0.01  # of targets


@dataclass(frozen=True)
class Ranks:
    """The rank of each user's target, float64 [E], in the order of `Targets.users`.

    Attributes:
        sampled: among the target's candidates and the target; NaN for a user without candidates.
        full: among all items, or all but those of the user's history, and the target.
        losses: the target's, by the loss that was asked for; NaN without one, and where it needs
            candidates and there are none.
        top: int64 [E, min(top_k, N)], the best of the items that `full` ranks, best first; 0
            where there are fewer.
    """

    sampled: np.ndarray
    full: np.ndarray
    losses: np.ndarray
    top: np.ndarray


def rank_targets(
    scorer: Scorer,
    targets: Targets,
    *,
    loss: Loss | None = None,
    filter_seen: bool = True,
    top_k: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Ranks:
    """Rank every target by its score after the user's history.

    Args:
        scorer: a model's scores (`ModelScores`), or a baseline's.
        loss: what to give of each target, as in training.
        filter_seen: keep the items of the user's history out of the full ranking (never the
            target itself, which may be in it: it then competes without the user's other past
            items, so where users repeat items this flatters, and False is the fair setting).
        top_k: how many of the best items to keep a user.
        progress: called with the number of users done after each chunk.

    Raises:
        UserError: a score is NaN or infinite, or a user with a target has no history.
    """
    lengths = scorer.histories.lengths[targets.users]
    if (lengths == 0).any():
        user = targets.users[lengths.argmin()]
        raise UserError(f"user {user} has a target but no history to rank it after")
    count = len(targets.users)
    ranks = Ranks(
        *(np.full(count, np.nan) for _ in range(3)),
        np.empty((count, min(top_k, scorer.num_items)), np.int64),
    )
    by_length = np.argsort(-lengths, kind="stable")  # like histories pad each other least
    size = int(np.clip(MAX_SCORES // (scorer.num_items + 1), 1, 128))
    chunks = [by_length[start : start + size] for start in range(0, count, size)]

    @torch.inference_mode()
    def rank(chunk: np.ndarray) -> int:
        users, scores = scorer.scores(targets.users[chunk])
        places = np.searchsorted(targets.users, users)  # they ascend
        _rank_chunk(
            scores,
            targets=torch.from_numpy(targets.items[places]).long(),
            candidates=torch.from_numpy(targets.candidates[places]).long(),
            loss=loss,
            seen=[scorer.histories.of(user) for user in users] if filter_seen else None,
            into=ranks,
            places=places,
        )
        return len(chunk)

    in_order = map_in_threads if scorer.device.type == "cpu" else map
    with scorer.while_ranking():
        for done in itertools.accumulate(in_order(rank, chunks)):
            if progress:
                progress(done)
    return ranks


def note_on_repeats(share: float, *, filter_seen: bool) -> str | None:
    """A sentence where many targets are taken again and the ranking flatters them, else None.

    Args:
        share: of targets that the user's history holds already.
    """
    if not filter_seen or share < MANY_REPEATS:
        return None
    return (
        f"Mind: {share:.1%} of the targets are in the user's history already. They compete without "
        "the user's other past items, which flatters, and recommendations never repeat an item: "
        "evaluate.filter_seen: false ranks, validates and recommends all items"
    )


def rank_among(target_scores: Tensor, scores: Tensor) -> Tensor:
    """1 + how many of `scores` are higher + half of how many are equal.

    Of K scores, H higher, E equal and L lower, the signs of the differences add up to H - L, so
    H + E / 2 = (K + sum of signs) / 2: one vectorised pass, exact up to K = 2^24.

    Args:
        target_scores: [B], finite.
        scores: [B, K], without the target; -inf never counts as a candidate.

    Returns: float64 [B], on the CPU.
    """
    signs = (scores - target_scores[:, None]).sign_().sum(1)
    return 1 + (scores.shape[1] + signs.cpu().double()) / 2


def _rank_chunk(
    scores: Tensor,
    *,
    targets: Tensor,
    candidates: Tensor,
    loss: Loss | None,
    seen: list[np.ndarray] | None,
    into: Ranks,
    places: np.ndarray,
) -> None:
    """Fill rows `places` of the result arrays from `scores` [B, N + 1], which is overwritten."""
    targets, candidates = targets.to(scores.device), candidates.to(scores.device)
    target_scores = scores.gather(1, targets[:, None]).squeeze(1)
    candidate_scores = scores.gather(1, candidates)
    drawn = candidates.any(1).cpu().numpy()
    if loss is not None:
        losses = loss.of_scores(target_scores, candidate_scores, scores).cpu().numpy()
        into.losses[places] = np.where(drawn | (loss.num_negatives == 0), losses, np.nan)
    sampled = rank_among(target_scores, candidate_scores).numpy()
    into.sampled[places] = np.where(drawn, sampled, np.nan)
    scores[:, 0] = -torch.inf
    if seen is not None:
        leave_out(scores, seen)
        scores.scatter_(1, targets[:, None], target_scores[:, None])
    if into.top.shape[1]:
        best = scores.topk(into.top.shape[1])
        into.top[places] = torch.where(best.values > -torch.inf, best.indices, 0).cpu().numpy()
    scores.scatter_(1, targets[:, None], -torch.inf)  # the target does not tie with itself
    into.full[places] = rank_among(target_scores, scores).numpy()


def leave_out(scores: Tensor, seen: list[np.ndarray]) -> None:
    """Set `scores` [B, N + 1] of the items in each of `seen` (B of them) to -inf."""
    rows = np.repeat(np.arange(len(seen)), [len(items) for items in seen])
    columns = np.concatenate(seen).astype(np.int64)
    scores[torch.from_numpy(rows), torch.from_numpy(columns)] = -torch.inf
