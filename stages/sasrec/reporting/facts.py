"""Sections on what went in: the data's facts with warnings, and the parameters that differ."""

from collections.abc import Sequence
from typing import Any

from sasrec.comparing.flatten import flatten
from sasrec.comparing.overview.rows import Row
from sasrec.comparing.overview.text import differing
from sasrec.preparing.checks import CHECKS, Sizes, sentences_on
from sasrec.preparing.ties import Ties, tie_notices
from sasrec.ranking.ranks import note_on_repeats
from sasrec.reporting.elements import EMPTY, Cell, Part, Section, Table, cell, gather
from sasrec.reporting.run import AbsentError, ReportedRun

DATA, DETAILS = "metrics/data.json", "metrics/test_details.json"
FILTER_SEEN = "evaluate.filter_seen"


def data_section(runs: Sequence[ReportedRun]) -> Section:
    """metrics/data.json of each run, and sentences on what may mislead."""
    section = Section("Data", name="data")
    found = gather(section, runs, lambda run: flatten(run.json_of(DATA)))
    if found:
        section.tables.append(side_by_side("Facts of the data", found))
    warnings = [
        (run.name, sentence) for run in runs for sentence in _warnings(run, found.get(run.name))
    ]
    section.warnings += named_once(warnings, len(runs))
    return section


def params_section(runs: Sequence[ReportedRun]) -> Section:
    """Which parameters differ, and below all of them."""
    section = Section("Parameters", name="parameters")
    known = {run.name: run.params for run in runs if run.params}
    section.absent += [f"{run.name}: no parameters are known" for run in runs if not run.params]
    for run in runs:
        if run.stale:
            section.warnings.append(
                f"{run.name}: params.yaml has other values of {', '.join(run.stale)} than the "
                "results were made with, which are shown (dvc.lock)"
            )
    if len(known) > 1:
        names = differing([Row(name, params=params) for name, params in known.items()])
        some = {run: {name: params[name] for name in names if name in params}
                for run, params in known.items()}  # fmt: skip
        if names:
            section.tables.append(side_by_side("Parameters that differ", some))
        else:
            section.notes.append("No parameter differs between these runs.")
    if known:
        table = side_by_side("All parameters", known)
        section.parts.append(Part("All parameters", tables=[table], folded=True))
    return section


def side_by_side(caption: str, values: dict[str, dict[str, Any]]) -> Table:
    """A row a name, a column a run."""
    names = dict.fromkeys(name for of_run in values.values() for name in of_run)
    rows = [
        [Cell(name), *(cell(own[name]) if name in own else EMPTY for own in values.values())]
        for name in names
    ]
    return Table(caption, ["", *values], rows)


def named_once(sentences: Sequence[tuple[str, str]], num_runs: int) -> list[str]:
    """Sentences after the runs that they hold of; these are left out where it is all of them."""
    holders: dict[str, list[str]] = {}
    for run, sentence in sentences:
        holders.setdefault(sentence, []).append(run)
    return [
        sentence if len(names) == num_runs else f"{', '.join(names)}: {sentence}"
        for sentence, names in holders.items()
    ]


def _warnings(run: ReportedRun, data: dict[str, Any] | None) -> list[str]:
    """What is odd about the data of a run, and about its targets."""
    sentences = _data_warnings(run, data) if data else []
    try:
        share = run.json_of(DETAILS).get("full", {}).get("target_in_history")
    except AbsentError:
        share = None
    if isinstance(share, float):
        note = note_on_repeats(share, filter_seen=run.params.get(FILTER_SEEN) is not False)
        sentences += [note.removeprefix("Mind: ")] if note else []
    return sentences


def _data_warnings(run: ReportedRun, data: dict[str, Any]) -> list[str]:
    sentences = []
    parts = [data.get(f"ties.{name}") for name in Ties.__dataclass_fields__]
    if None not in parts:
        can_name = run.dataset == "local"
        sentences += tie_notices(Ties(*parts), data.get("equal_time_share"), can_name)
    return sentences + _check_warnings(data)


def _check_warnings(data: dict[str, Any]) -> list[str]:
    """What preprocess said of the checks; whose raw id was the most frequent is not recorded."""
    sizes = Sizes(*(data.get(f"num_{name}", 0) for name in Sizes._fields))
    numbers = {name: data.get(f"checks.{name}") for name in CHECKS}
    known = {name: number for name, number in numbers.items() if number is not None}
    return sentences_on(known, sizes, lambda _: "with the most")
