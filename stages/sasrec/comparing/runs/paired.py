"""Is a difference between runs more than chance? Intervals over users, and over seeds.

Two sides, A and B, are one or more runs each, that is trainings that differ in their seed, and
every run gives every user a value (a share of HR@10, say). B - A of the means varies with

- the users that happen to be in the data. They are the same on both sides, so each user's
  difference is resampled: the paired bootstrap (Efron & Tibshirani 1993, chapter 13);
- the seed, which moves all users of a run together. With two or more runs of a side this is an
  analysis of variance with users crossed with runs: a run's mean is off by a shift that all its
  users share, and by what is left of its users' own noise. The second part is in the bootstrap
  already. The variance of the first gets the generalised distribution of a variance component
  (Weerahandi 1995, "Exact Statistical Methods for Data Analysis"), with Welch's degrees of
  freedom: shifts drawn from it have the tails of Student's t that few runs call for.

Resampling runs as well as users would be far too narrow: for three runs 1.96 * sqrt(2 / 3)
standard errors, where Student's t with two degrees of freedom has 4.3.

Shapes: E users, R runs of a side, G groups of users with equal differences.
"""

from dataclasses import dataclass

import numpy as np

MAX_GROUPS = 2000
BLOCK = 10_000_000  # numbers held at once


@dataclass(frozen=True)
class Difference:
    """B - A in the mean over users and runs.

    Attributes:
        first, second: the means of A and B.
        difference: second - first.
        low, high: its interval.
        p_value: two-sided, of no difference; for one test alone.
        run_differences: B - A of each pair of runs, where runs are paired, else empty.
        covers_seeds: whether the interval and p_value take the choice of seeds into account.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    run_differences: tuple[float, ...]
    covers_seeds: bool


@dataclass(frozen=True)
class _RunVariance:
    """Of the difference between sides, what varies with the runs.

    Attributes:
        total: variance by the spread of the runs' means.
        residual: the part of `total` that comes from noise of the single users.
        freedom: degrees of freedom of `total`.
    """

    total: float
    residual: float
    freedom: float


def compare_runs(
    first: np.ndarray,
    second: np.ndarray,
    *,
    pair_runs: bool,
    samples: int,
    generator: np.random.Generator,
    level: float = 0.95,
) -> Difference:
    """Compare the runs of A with those of B, user by user.

    Args:
        first: float64 [R_A, E], the values of A's runs, E at least 2.
        second: float64 [R_B, E], of the same users in the same order.
        pair_runs: run r of A and run r of B share a seed, so their noise may be alike.
        samples: resamples behind the interval; 1 / samples limits how small p_value can be.
        generator: exchanged sides and the same state give exactly the opposite result.
        level: of the interval.

    Raises:
        ValueError: the shapes do not fit.
    """
    if first.shape[1] != second.shape[1] or first.shape[1] < 2:
        raise ValueError(f"expected the same users, two or more: {first.shape}, {second.shape}")
    if pair_runs and len(first) != len(second):
        raise ValueError(f"{len(first)} runs cannot be paired with {len(second)}")
    by_user = second.mean(0) - first.mean(0)
    # Whichever side comes first, resample the same numbers, so that only the sign depends on it.
    nonzero = by_user[by_user != 0]
    sign = -1.0 if len(nonzero) and nonzero[0] < 0 else 1.0
    drawn = _resampled_means(sign * by_user, samples, generator)
    variance = _paired_variance(second - first) if pair_runs else _variance(first, second)
    if variance is not None:
        drawn += _shifts(variance, samples, generator)
    tail = 100 * (1 - level) / 2
    low, high = sorted(sign * np.percentile(drawn, [tail, 100 - tail]))
    if len(nonzero) == 0:  # neither sign is the first
        high = np.percentile(abs(drawn), 100 * level)
        low = 0 - high
    fewer = min((drawn <= 0).sum(), (drawn >= 0).sum())
    return Difference(
        first=float(first.mean()),
        second=float(second.mean()),
        difference=float(by_user.mean()),
        low=float(low),
        high=float(high),
        p_value=min(1.0, 2 * (1 + int(fewer)) / (1 + samples)),
        run_differences=tuple((second - first).mean(1).tolist()) if pair_runs else (),
        covers_seeds=variance is not None,
    )


def holm(p_values: list[float]) -> list[float]:
    """p values adjusted for testing them all (Holm 1979): under 0.05 at most once in 20 families.

    The smallest is multiplied by their number, the next by one less, and so on; none is smaller
    than that of a smaller one, or over 1.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _resampled_means(
    values: np.ndarray, samples: int, generator: np.random.Generator
) -> np.ndarray:
    """Means of `values` [E] over users drawn with replacement: float64 [samples].

    Users with equal values are alike, so it is enough to draw how often each value occurs.
    """
    groups, counts = _group(values)
    block = max(1, BLOCK // len(groups))
    means = []
    for start in range(0, samples, block):
        size = min(block, samples - start)
        drawn = generator.multinomial(len(values), counts / len(values), size=size)
        means.append(drawn @ groups / len(values))
    return np.concatenate(means)


def _group(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values [G] and how many users have each [G], G at most about MAX_GROUPS.

    More distinct values than that are averaged in bins of equal width: the mean stays as it is
    and the variance loses at most width^2 / 4, so a million users cost no more than a thousand.
    """
    groups, counts = np.unique(values, return_counts=True)
    if len(groups) <= MAX_GROUPS:
        return groups, counts
    width = (groups[-1] - groups[0]) / MAX_GROUPS
    bins = ((groups - groups[0]) / width).astype(np.int64)
    sums, members = np.bincount(bins, groups * counts), np.bincount(bins, counts)
    occupied = members > 0
    return sums[occupied] / members[occupied], members[occupied]


def _shifts(variance: _RunVariance, samples: int, generator: np.random.Generator) -> np.ndarray:
    """What the seeds add to the difference: float64 [samples]."""
    total = variance.total * variance.freedom / generator.chisquare(variance.freedom, samples)
    shared = np.maximum(total - variance.residual, 0)
    return generator.standard_normal(samples) * np.sqrt(shared)


def _paired_variance(differences: np.ndarray) -> _RunVariance | None:
    """From the differences [R, E] of paired runs; None from a single pair."""
    if len(differences) < 2:
        return None
    total, residual = _components(differences)
    return _RunVariance(total / len(differences), residual / len(differences), len(differences) - 1)


def _variance(first: np.ndarray, second: np.ndarray) -> _RunVariance | None:
    """From runs that are not paired; a single run is taken to vary as the other side's runs do."""
    sizes = len(first), len(second)
    if sizes == (1, 1):
        return None
    sides = [_components(side) for side in (first, second) if len(side) > 1]
    if len(sides) == 1:
        total, residual = sides[0]
        inverse = 1 / sizes[0] + 1 / sizes[1]
        return _RunVariance(total * inverse, residual * inverse, max(sizes) - 1)
    totals = [total / size for (total, _), size in zip(sides, sizes, strict=True)]
    residuals = [residual / size for (_, residual), size in zip(sides, sizes, strict=True)]
    squares = sum(total**2 / (size - 1) for total, size in zip(totals, sizes, strict=True))
    freedom = sum(totals) ** 2 / squares if squares > 0 else 1.0
    return _RunVariance(sum(totals), sum(residuals), freedom)


def _components(values: np.ndarray) -> tuple[float, float]:
    """Variance of the means of runs [R, E], and the part of it due to noise of single users."""
    means = values.mean(1)
    noise = values - means[:, None] - (values.mean(0) - values.mean())
    degrees = (values.shape[0] - 1) * (values.shape[1] - 1)
    return float(means.var(ddof=1)), float((noise**2).sum() / degrees / values.shape[1])
