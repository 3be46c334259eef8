"""Metrics of groups of users: by length of history, by popularity of the target.

A group of few users says little, so it joins its neighbour; each mean has its interval.

Shapes: E users with a target.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sasrec.ranking.metrics import bootstrap_intervals, metric_values

FEWEST = 30  # users of a group
K = 10


def bucket_table(
    values: np.ndarray,
    name: str,
    edges: Sequence[int],
    ranks: Mapping[str, np.ndarray],
    *,
    samples: int,
    seed: int,
) -> pd.DataFrame:
    """A row a range of `values`, the lowest first: its users, and their mean metrics.

    Args:
        values: int [E], of each user; at least the first edge.
        name: of the column that holds the mean of `values`.
        edges: where ranges begin, rising; the last has no end.
        ranks: float64 [E] by protocol; NaN for a user whom it does not rank.
        samples: of the bootstrap.

    Returns: range (such as 10-19), users, `name`; and for each protocol and metric PROTOCOL_METRIC,
        with its 95% bootstrap interval PROTOCOL_METRIC_low and _high. `users` counts all of them;
        the means of a protocol are over those that it ranks, and NaN where there are none.
    """
    places = np.searchsorted(edges, values, side="right") - 1
    ranges = merge_small(np.bincount(places, minlength=len(edges)))
    generator = np.random.default_rng(seed)
    rows = []
    for first, stop in ranges:
        inside = (places >= first) & (places < stop)
        row = {"range": _label(edges, first, stop), "users": int(inside.sum())}
        row[name] = float(np.mean(values[inside]))
        for protocol, found in ranks.items():
            row |= _metrics(protocol, found[inside], samples, generator)
        rows.append(row)
    return pd.DataFrame(rows).round(6)


def merge_small(counts: np.ndarray, fewest: int | None = None) -> list[tuple[int, int]]:
    """Ranges [first, stop) of neighbouring groups that hold `fewest` users each, FEWEST by default.

    A group that is too small takes in the next one, the last one is taken in by the one before.
    Empty groups are left out where nothing is lacking.
    """
    fewest = FEWEST if fewest is None else fewest
    ranges: list[tuple[int, int]] = []
    first, held = 0, 0
    for place in np.flatnonzero(counts).tolist():
        first = first if held else place
        held += int(counts[place])
        if held >= fewest:
            ranges.append((first, place + 1))
            held = 0
    if held:
        first = ranges.pop()[0] if ranges else first
        ranges.append((first, place + 1))
    return ranges


def _label(edges: Sequence[int], first: int, stop: int) -> str:
    if stop == len(edges):
        return f"{edges[first]}+"
    low, high = edges[first], edges[stop] - 1
    return f"{low}" if low == high else f"{low}-{high}"


def _metrics(
    protocol: str, ranks: np.ndarray, samples: int, generator: np.random.Generator
) -> dict[str, float]:
    known = ranks[~np.isnan(ranks)]
    row = {}
    for name, shares in metric_values(known, (K,)).items():
        row[f"{protocol}_{name}"] = float(shares.mean()) if len(known) else np.nan
        row |= {f"{protocol}_{name}_{end}": np.nan for end in ("low", "high")}
    if len(known):
        found = bootstrap_intervals(known, (K,), samples=samples, generator=generator)
        for name, interval in found.items():
            row |= {f"{protocol}_{name}_{end}": number for end, number in interval.items()}
    return row
