"""Metrics of ranks: HR@k, NDCG@k and MRR, with bootstrap intervals over users.

With one target a user, HR@k (hit rate) is the share of users whose target ranks within k, and
NDCG@k the mean of 1 / log2(rank + 1) over them, 0 for the others (paper, section IV-C). A rank is
1 for the best; ties give half ranks (see ranks.py).
"""

from collections.abc import Callable

import numpy as np

# What one user's rank (float64, of any shape) is worth up to a cut-off k, and without one. A row
# here is a metric in metrics/*.json, with its interval, and in every comparison.
AT_K: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "HR": lambda ranks, k: (ranks <= k).astype(np.float64),
    "NDCG": lambda ranks, k: np.where(ranks <= k, 1 / np.log2(ranks + 1), 0.0),
}
OVER_ALL: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "MRR": lambda ranks: 1 / ranks,
}


def metric_values(ranks: np.ndarray, ks: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Each user's share in each metric: float64 arrays of the shape of `ranks`.

    Args:
        ranks: float64, 1 or more.
        ks: the cut-offs.

    Raises:
        ValueError: a rank is NaN or under 1.
    """
    ranks = np.asarray(ranks, np.float64)
    if not (ranks >= 1).all():
        raise ValueError(f"ranks start from 1, found {ranks[~(ranks >= 1)][0]}")
    values = {f"{name}@{k}": row(ranks, k) for name, row in AT_K.items() for k in ks}
    return values | {name: row(ranks) for name, row in OVER_ALL.items()}


def ranked(ranks: np.ndarray) -> np.ndarray:
    """Of sampled ranks, those of the users that have candidates: the others are NaN.

    Raises:
        ValueError: no user has.
    """
    known = ranks[~np.isnan(ranks)]
    if not len(known):
        raise ValueError("no user is ranked: all ranks are NaN")
    return known


def summarise(ranks: np.ndarray, ks: tuple[int, ...]) -> dict[str, float]:
    """The mean of each metric over users: HR@k and NDCG@k for each of `ks`, and MRR."""
    return {name: float(values.mean()) for name, values in metric_values(ranks, ks).items()}


def bootstrap_intervals(
    ranks: np.ndarray,
    ks: tuple[int, ...],
    *,
    samples: int,
    generator: np.random.Generator,
    level: float = 0.95,
) -> dict[str, dict[str, float]]:
    """Percentile bootstrap over users (Efron & Tibshirani 1993, chapter 13): low and high.

    Users with equal ranks are alike, so a resample of users is a multinomial draw of how often
    each rank occurs: the same distribution as drawing users one by one, and much quicker.
    """
    distinct, counts = np.unique(ranks, return_counts=True)
    values = metric_values(distinct, ks)
    table = np.stack(list(values.values()), 1)  # [distinct ranks, metrics]
    block = max(1, 10_000_000 // len(distinct))
    means = []
    for start in range(0, samples, block):
        size = min(block, samples - start)
        drawn = generator.multinomial(len(ranks), counts / len(ranks), size=size)
        means.append(drawn @ table / len(ranks))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail], axis=0)
    return {name: {"low": float(low[i]), "high": float(high[i])} for i, name in enumerate(values)}
