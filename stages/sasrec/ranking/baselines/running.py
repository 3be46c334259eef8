"""Rank the test targets by each baseline, on the very candidates that the model has."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.ranking.baselines.item_scores import BaselineScores
from sasrec.ranking.baselines.tables import BASELINES
from sasrec.ranking.ranks import Ranks, rank_targets


@dataclass(frozen=True)
class Ranked:
    """One baseline: its name, its ranks, and the seconds to count and to rank."""

    name: str
    ranks: Ranks
    seconds: float


def rank_by_baselines(
    names: list[str],
    train: Sequences,
    histories: Sequences,
    targets: Targets,
    num_items: int,
    *,
    filter_seen: bool,
    top_k: int,
) -> Iterator[Ranked]:
    """Fit each of BASELINES that is named on `train`, and rank `targets` as a model is ranked.

    Args:
        histories: what the targets come after.
        filter_seen, top_k: as in `rank_targets`.
    """
    for name in names:
        start = time.perf_counter()
        scores = BaselineScores(BASELINES[name](train, num_items), histories)
        ranks = rank_targets(scores, targets, filter_seen=filter_seen, top_k=top_k)
        yield Ranked(name, ranks, time.perf_counter() - start)
