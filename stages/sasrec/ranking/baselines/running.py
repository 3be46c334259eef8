"""Rank the test targets by each baseline, on the very candidates that the model has."""

import time
from collections.abc import Callable, Iterator

from sasrec.base.rounding import rounded
from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.ranking.baselines.item_scores import BaselineScores
from sasrec.ranking.baselines.tables import BASELINES
from sasrec.ranking.evaluation import Metrics, describe_ranks, headline
from sasrec.ranking.lists import TOP_K, Lists
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import Ranks, rank_targets


def rank_by_baselines(
    train: Sequences,
    targets: Targets,
    histories: Sequences,
    num_items: int,
    params: EvaluateParams,
) -> Iterator[tuple[str, Ranks]]:
    """Fit each of `params.baselines` on `train`, and rank `targets` as a model is ranked.

    Args:
        histories: what the targets come after.
    """
    for name in params.baselines:
        scores = BaselineScores(BASELINES[name](train, num_items), histories)
        yield name, rank_targets(scores, targets, filter_seen=params.filter_seen, top_k=TOP_K)


def measure_baselines(
    train: Sequences,
    targets: Targets,
    histories: Sequences,
    num_items: int,
    params: EvaluateParams,
    features: ItemFeatures | None = None,
    report: Callable[[str], None] = print,
) -> dict[str, Metrics]:
    """By the name of each baseline, the metrics that a model gets; and a line about it."""
    metrics = {}
    start = time.perf_counter()
    for name, ranks in rank_by_baselines(train, targets, histories, num_items, params):
        lists = Lists(targets.users, ranks.top, histories, num_items, features)
        metrics[name] = rounded(describe_ranks(ranks, targets, lists, tuple(params.ks)))
        seconds = time.perf_counter() - start
        shown = "  ".join(
            " ".join([protocol, *(f"{key} {value:.4f}" for key, value in values.items())])
            for protocol, values in headline(ranks, targets).items()
        )
        report(f"baseline {name}: {shown}  {seconds:.1f} s")
        start = time.perf_counter()
    return metrics
