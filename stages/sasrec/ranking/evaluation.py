"""What the test targets' ranks amount to: metrics, intervals, and tables to look at.

Shapes: E users with a target, K sampled candidates.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sasrec.base.rounding import rounded
from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.ranking.buckets import bucket_table
from sasrec.ranking.lists import Lists, describe_lists
from sasrec.ranking.metrics import bootstrap_intervals, ranked, summarise
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import Ranks

HEADLINE = ("HR@10", "NDCG@10")  # what tables of experiments show
LENGTH_EDGES = (1, 5, 10, 20, 50, 100, 200, 500)

Metrics = dict[str, dict[str, float]]  # by protocol and name


@dataclass(frozen=True)
class Evaluation:
    """Everything that evaluate writes.

    Attributes:
        headline: by protocol, HR@10 and NDCG@10.
        metrics: as `describe_ranks` gives them; `full` also has target_in_history (the share of
            targets taken again).
        intervals: by protocol and metric, the 95% bootstrap interval.
        ranks: user, item, history_length, and the rank by each protocol; a row a user. The
            sampled rank of a user without candidates is NaN, an empty field in CSV.
        by_length: mean metrics of users grouped by length of history, see `bucket_table`.
        by_rank: how often each rank up to K + 1 occurs, as a share of the users ranked, and HR up
            to there.
    """

    headline: Metrics
    metrics: Metrics
    intervals: dict[str, Any]
    ranks: pd.DataFrame
    by_length: pd.DataFrame
    by_rank: pd.DataFrame


def evaluate(
    ranks: Ranks,
    targets: Targets,
    histories: Sequences,
    num_items: int,
    params: EvaluateParams,
    features: ItemFeatures | None = None,
) -> Evaluation:
    """Sum `ranks` up; `histories` are those that the ranks come from."""
    ks = tuple(params.ks)
    protocols = _by_protocol(ranks, targets)
    lists = Lists(targets.users, ranks.top, histories, num_items, features)
    metrics = describe_ranks(ranks, targets, lists, ks)
    metrics["full"]["target_in_history"] = targets.share_in_history(histories)
    intervals = {
        name: bootstrap_intervals(
            values,
            ks,
            samples=params.bootstrap_samples,
            generator=np.random.default_rng(params.seed),
        )
        for name, values in protocols.items()
    }
    table = pd.DataFrame(
        {
            "user": targets.users,
            "item": targets.items,
            "history_length": histories.lengths[targets.users],
            targets.sampled_name: ranks.sampled,
            "full": ranks.full,
        }
    )
    return Evaluation(
        headline(ranks, targets),
        rounded(metrics),
        rounded(intervals),
        table,
        bucket_table(
            table["history_length"].to_numpy(),
            "history_length",
            LENGTH_EDGES,
            {"sampled": ranks.sampled, "full": ranks.full},
            samples=params.bootstrap_samples,
            seed=params.seed,
        ),
        _by_rank(ranks, targets.candidates.shape[1] + 1),
    )


def describe_ranks(ranks: Ranks, targets: Targets, lists: Lists, ks: tuple[int, ...]) -> Metrics:
    """By protocol, the number of `users` ranked and the mean of each metric.

    Args:
        lists: the items that `ranks` lists; `full` has their metrics too.
    """
    metrics = {
        name: {"users": len(values), **summarise(values, ks)}
        for name, values in _by_protocol(ranks, targets).items()
    }
    metrics["full"] |= describe_lists(lists)
    return metrics


def headline(ranks: Ranks, targets: Targets) -> Metrics:
    """By protocol, the metrics of HEADLINE, whatever `evaluate.ks` holds; rounded."""
    return {
        protocol: {name: rounded(summarise(values, (10,))[name]) for name in HEADLINE}
        for protocol, values in _by_protocol(ranks, targets).items()
    }


def _by_protocol(ranks: Ranks, targets: Targets) -> dict[str, np.ndarray]:
    """The ranks of those that each protocol ranks, by its name in metrics."""
    return {targets.sampled_name: ranked(ranks.sampled), "full": ranks.full}


def _by_rank(ranks: Ranks, worst: int) -> pd.DataFrame:
    """For each rank 1..worst its share of users, and HR at that cut-off.

    Half ranks count as the better one in the share.
    """
    table = {"rank": np.arange(1, worst + 1)}
    for protocol, values in (("sampled", ranked(ranks.sampled)), ("full", ranks.full)):
        whole = np.bincount(values.astype(np.int64), minlength=worst + 1)[1 : worst + 1]
        within = np.searchsorted(np.sort(values), table["rank"], side="right")
        table[f"{protocol}_share"] = whole / len(values)
        table[f"{protocol}_HR"] = within / len(values)
    return pd.DataFrame(table).round(6)
