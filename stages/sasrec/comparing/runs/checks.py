"""Can A and B be compared, and what should a reader of the comparison know about them?"""

import itertools
import json
from typing import Any

import numpy as np

from sasrec.base.errors import UserError
from sasrec.comparing.runs.experiments import SEED, Run, Side


def check_comparable(a: Side, b: Side) -> None:
    """All runs must have ranked the same targets of the same users in the same way.

    Raises:
        UserError: with what differs first, and the parameters that make it differ if known.
    """
    for one, other in itertools.product(a.runs, b.runs):
        if one.place == other.place:
            raise UserError(f"{one.name} and {other.name} are the same run, and on both sides")
    labelled = [(f"{run.name} ({side.label})", run) for side in (a, b) for run in side.runs]
    (reference_name, reference), *others = labelled
    for name, run in others:
        difference = _first_difference(reference, run)
        if difference is not None:
            because = _causes(reference, run)
            raise UserError(
                f"{reference_name} and {name} cannot be compared: {difference}{because}"
            )


def pair_by_seed(a: Side, b: Side) -> tuple[Side, Side] | None:
    """Both sides in the order of their seeds; None if these are not the same on both.

    A single run a side is not paired: one difference says nothing about the seeds.
    """
    seeds = [run.seed for run in a.runs]
    if len(seeds) == 1 or None in seeds or len(set(seeds)) < len(seeds):
        return None
    by_seed = {run.seed: run for run in b.runs}
    if len(b.runs) != len(seeds) or set(by_seed) != set(seeds):
        return None
    runs = sorted(a.runs, key=lambda run: run.seed)
    return Side(a.label, tuple(runs)), Side(b.label, tuple(by_seed[run.seed] for run in runs))


def differing_params(a: Side, b: Side) -> dict[str, dict[str, list[Any]]]:
    """By parameter its values in A and in B, where they differ and both sides know theirs."""
    if not (all(run.params for run in a.runs) and all(run.params for run in b.runs)):
        return {}
    keys = dict.fromkeys(key for side in (a, b) for run in side.runs for key in run.params)
    both = {key: {side.label: side.values(key) for side in (a, b)} for key in keys}
    return {
        key: values
        for key, values in both.items()
        if sorted(map(json.dumps, values[a.label])) != sorted(map(json.dumps, values[b.label]))
    }


def find_oddities(a: Side, b: Side) -> list[str]:
    """Sentences about what may mislead: identical runs, unlike runs in a side, stale results."""
    notes = [
        f"{one.name} and {other.name} are identical: every user has the same ranks in both"
        for one, other in itertools.product(a.runs, b.runs)
        if one.ranks.equals(other.ranks)
    ]
    for side in (a, b):
        keys = dict.fromkeys(key for run in side.runs for key in run.params)
        unlike = [key for key in keys if key != SEED and len(side.values(key)) > 1]
        if unlike:
            notes.append(
                f"{side.label} mixes runs that differ in {', '.join(unlike)}; seeds alone should"
            )
    runs = a.runs + b.runs
    notes += [
        f"{run.name}: params.yaml has other values of {', '.join(run.stale)} than its results "
        "were made with, which count here (dvc.lock)"
        for run in runs
        if run.stale
    ]
    sampled = a.runs[0].protocols[0]
    left_out = int(a.runs[0].ranks[sampled].isna().sum())
    if left_out:
        notes.append(f"{sampled} leaves out {left_out:,} user(s) without candidates")
    unknown = [run.name for run in runs if not run.params]
    if unknown:
        notes.append(f"no parameters are known of {', '.join(unknown)}")
    return notes


def _first_difference(one: Run, other: Run) -> str | None:
    if one.protocols != other.protocols:
        return (
            f"the targets were ranked among other numbers of candidates, {one.protocols[0]} and "
            f"{other.protocols[0]}"
        )
    ours, theirs = one.ranks, other.ranks
    if len(ours) != len(theirs):
        return f"they have {len(ours):,} and {len(theirs):,} test users"
    for column, what in (("user", "test users"), ("item", "targets of the users")):
        unequal = np.flatnonzero(ours[column] != theirs[column])
        if len(unequal):
            row = unequal[0]
            user = "" if column == "user" else f"of user {ours['user'][row]:.0f} "
            return (
                f"{len(unequal):,} of {len(ours):,} {what} differ, the first {user}is "
                f"{ours[column][row]:.0f} and {theirs[column][row]:.0f}"
            )
    sampled = one.protocols[0]
    unequal = np.flatnonzero(ours[sampled].isna() != theirs[sampled].isna())
    if len(unequal):
        user = ours["user"][unequal[0]]
        return f"only one of them has a {sampled} rank for user {user:.0f}"
    if None not in (one.test_data, other.test_data) and one.test_data != other.test_data:
        return "the histories or candidates in data/split/test differ, by dvc.lock"
    key = "evaluate.filter_seen"
    if key in one.params and key in other.params and one.params[key] != other.params[key]:
        return "one ranks the items of the user's history too, the other does not"
    return None


def _causes(one: Run, other: Run) -> str:
    """The parameters of data and ranking in which two runs differ, in brackets."""
    causes = [
        f"{key} is {json.dumps(one.params[key])} and {json.dumps(other.params[key])}"
        for key in one.params
        if key.startswith(("data.", "split.", "evaluate.filter_seen"))
        and key in other.params
        and one.params[key] != other.params[key]
    ]
    return f" ({'; '.join(causes)})" if causes else ""
