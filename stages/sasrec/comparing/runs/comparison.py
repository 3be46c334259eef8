"""Compare two experiments metric by metric: is one better, or is it chance?"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sasrec.base.errors import UserError
from sasrec.comparing.runs.checks import (
    check_comparable,
    differing_params,
    find_oddities,
    pair_by_seed,
)
from sasrec.comparing.runs.experiments import Side
from sasrec.comparing.runs.paired import Difference, compare_runs, holm
from sasrec.ranking.metrics import AT_K, OVER_ALL, metric_values

LEVEL = 0.95


@dataclass(frozen=True)
class Verdict:
    """A against B in one metric of one protocol.

    Attributes:
        protocol, metric: sampled_N or full; HR@k, NDCG@k or MRR.
        difference: B - A and its interval.
        adjusted_p: the p value after Holm's correction for the number of tests.
        better: A or B where the difference is shown, else None.
    """

    protocol: str
    metric: str
    difference: Difference
    adjusted_p: float
    better: str | None

    @property
    def name(self) -> str:
        return f"{self.metric} ({self.protocol})"


@dataclass(frozen=True)
class Comparison:
    """A against B.

    Attributes:
        a, b: the sides; if paired, runs in the same place share a seed.
        paired: whether runs are compared seed by seed.
        verdicts: of each metric, those of a protocol together.
        params: by name the values in A and in B, where they differ.
        notes: sentences about what may mislead.
        samples, seed: of the bootstrap.
    """

    a: Side
    b: Side
    paired: bool
    verdicts: tuple[Verdict, ...]
    params: dict[str, dict[str, list[Any]]]
    notes: tuple[str, ...]
    samples: int
    seed: int


def compare_sides(
    a: Side, b: Side, ks: tuple[int, ...], *, mrr: bool, samples: int, seed: int
) -> Comparison:
    """Test HR@k and NDCG@k for each of `ks`, and MRR if wanted, by both protocols.

    Raises:
        UserError: the sides cannot be compared, or the resamples are too few for so many tests.
    """
    check_comparable(a, b)
    pairs = pair_by_seed(a, b)
    a, b = pairs or (a, b)
    names = _names(a.runs[0].protocols, ks, mrr)
    needed = round(2 * len(names) / (1 - LEVEL))
    if samples < needed:
        raise UserError(f"{samples} resamples are too few for {len(names)} tests: take {needed}")
    differences = []
    for protocol, metric in names:
        ours, theirs = (metric_values(side.ranks(protocol), ks)[metric] for side in (a, b))
        found = compare_runs(
            ours,
            theirs,
            pair_runs=pairs is not None,
            samples=samples,
            generator=np.random.default_rng(seed),
            level=LEVEL,
        )
        differences.append(found)
    adjusted = holm([difference.p_value for difference in differences])
    verdicts = tuple(
        Verdict(*name, difference, p_value, _better(difference, p_value))
        for name, difference, p_value in zip(names, differences, adjusted, strict=True)
    )
    return Comparison(
        a=a,
        b=b,
        paired=pairs is not None,
        verdicts=verdicts,
        params=differing_params(a, b),
        notes=tuple(find_oddities(a, b)),
        samples=samples,
        seed=seed,
    )


def _names(protocols: tuple[str, ...], ks: tuple[int, ...], mrr: bool) -> list[tuple[str, str]]:
    metrics = [f"{name}@{k}" for name in AT_K for k in ks] + list(OVER_ALL) * mrr
    return [(protocol, metric) for protocol in protocols for metric in metrics]


def _better(difference: Difference, adjusted_p: float) -> str | None:
    if adjusted_p >= 1 - LEVEL:
        return None
    return "B" if difference.difference > 0 else "A"


def report(comparison: Comparison) -> dict[str, Any]:
    """Plain values for JSON; differences are B - A throughout."""
    return {
        side.label: [
            {"name": run.name, "place": run.place, "seed": run.seed, "params": run.params}
            | {"training": run.training}
            for run in side.runs
        ]
        for side in (comparison.a, comparison.b)
    } | {
        "users": len(comparison.a.runs[0].ranks),
        "users_ranked": {
            protocol: comparison.a.ranks(protocol).shape[1]
            for protocol in comparison.a.runs[0].protocols
        },
        "paired_by_seed": comparison.paired,
        "level": LEVEL,
        "bootstrap": {"samples": comparison.samples, "seed": comparison.seed},
        "differing_params": comparison.params,
        "notes": list(comparison.notes),
        "verdicts": [asdict(verdict) for verdict in comparison.verdicts],
    }
