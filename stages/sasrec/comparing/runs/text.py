"""A comparison of two experiments, for people."""

import json
from typing import Any

from sasrec.base.errors import printable
from sasrec.comparing.runs.comparison import LEVEL, Comparison, Verdict
from sasrec.comparing.runs.experiments import Run, Side

FEW_USERS = 30  # a bootstrap of fewer is too narrow to be relied on


def describe(comparison: Comparison) -> str:
    """The comparison as lines of text: the sides, a table, a sentence a metric, what it covers."""
    a, b = comparison.a, comparison.b
    lines = [*_side_lines(a), *_side_lines(b)]
    lines += _param_lines(comparison.params)
    lines += [f"Mind: {note}." for note in comparison.notes]
    users = len(a.runs[0].ranks)
    lines += ["", f"{users:,} users; a positive B - A speaks for B ({b.names})", ""]
    lines += _table(comparison.verdicts)
    lines += ["", *(sentence(verdict) for verdict in comparison.verdicts)]
    if comparison.paired:
        lines += ["", "B - A by seed", *_seed_lines(comparison)]
    lines = [printable(line) for line in lines]  # names and values come from outside
    return "\n".join([*lines, "", *_caveats(comparison, users)])


def sentence(verdict: Verdict) -> str:
    """What the test says of one metric, the better side first."""
    found = verdict.difference
    if verdict.better is None:
        chance = f"{found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
        text = f"{verdict.name}: no difference shown: B - A = {chance}"
        if found.p_value < 1 - LEVEL:
            text += f"; p {found.p_value:.4f} alone, {verdict.adjusted_p:.4f} among these tests"
        return text
    low, high = sorted([abs(found.low), abs(found.high)])
    size = f"{abs(found.difference):.4f} ({low:.4f} to {high:.4f})"
    real = "real" if found.covers_seeds else "real for these two runs"
    return f"{verdict.name}: {verdict.better} is higher by {size}: {real}"


def _side_lines(side: Side) -> list[str]:
    width = max(len(run.name) for run in side.runs)
    return [f"{side.label}  {run.name:<{width}}  {_facts(run)}".rstrip() for run in side.runs]


def _facts(run: Run) -> str:
    facts = [] if run.seed is None else [f"seed {run.seed}"]
    training = run.training
    if "epochs" in training and "best_epoch" in training:
        facts.append(f"epoch {training['best_epoch']} of {training['epochs']} kept")
    if "seconds_per_epoch" in training:
        facts.append(f"{training['seconds_per_epoch']} s an epoch")
    return ", ".join(facts)


def _param_lines(params: dict[str, dict[str, list[Any]]]) -> list[str]:
    return [
        f"{name}: " + "; ".join(f"{label} {_show(values)}" for label, values in sides.items())
        for name, sides in params.items()
    ]


def _show(values: list[Any]) -> str:
    shown = [value if isinstance(value, str) else json.dumps(value) for value in values]
    return ", ".join(shown) or "none"


def _table(verdicts: tuple[Verdict, ...]) -> list[str]:
    width = max(len(verdict.name) for verdict in verdicts)
    lines = [
        f"{'':<{width}}{'A':>9}{'B':>9}{'B - A':>10}   {'95% interval':<18}"
        f"{'p':>8}{'p (Holm)':>10}  better"
    ]
    for verdict in verdicts:
        found = verdict.difference
        interval = f"{found.low:+.4f} to {found.high:+.4f}"
        lines.append(
            f"{verdict.name:<{width}}{found.first:>9.4f}"
            f"{found.second:>9.4f}{found.difference:>+10.4f}   {interval:<18}"
            f"{found.p_value:>8.4f}{verdict.adjusted_p:>10.4f}  {verdict.better or 'not shown'}"
        )
    return lines


def _seed_lines(comparison: Comparison) -> list[str]:
    width = max(len(verdict.name) for verdict in comparison.verdicts)
    seeds = [f"{'':<{width}}" + "".join(f"{run.seed:>9}" for run in comparison.a.runs)]
    return seeds + [
        f"{verdict.name:<{width}}"
        + "".join(f"{value:>+9.4f}" for value in verdict.difference.run_differences)
        for verdict in comparison.verdicts
    ]


def _caveats(comparison: Comparison, users: int) -> list[str]:
    number = len(comparison.verdicts)
    lines = [f"Verdicts are at the 5% level over all {number} tests together (Holm)."]
    lines.append(_seed_caveat(comparison))
    if users < FEW_USERS:
        lines.append(f"{users} users are too few for intervals that can be relied on.")
    return lines


def _seed_caveat(comparison: Comparison) -> str:
    sizes = {side.label: len(side.runs) for side in (comparison.a, comparison.b)}
    if set(sizes.values()) == {1}:
        return (
            "One run a side: the intervals cover the choice of users, not that of the seed, which\n"
            "moves all users of a run together. Three or more train.seed a side would cover it."
        )
    paired = "compared seed by seed" if comparison.paired else "not paired by seed"
    text = f"The intervals cover the choice of users and that of the seed; runs are {paired}."
    for label, size in sizes.items():
        if size == 1:
            text += f"\n{label} has one run: its seeds are taken to vary as those of the other do."
    if max(sizes.values()) == 2:
        text += "\nTwo runs say little about the seed: three to five give narrower intervals."
    return text
