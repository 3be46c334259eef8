"""What the tables of docs/results.md have in common: how they are written in Markdown."""

import shlex
from collections.abc import Sequence

import pandas as pd
from result_tables import Experiment, Table, override

NOT_RUN = "not run yet"


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """A table; the first line is its head."""
    head, *body = lines
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *body))


def mean_of_seeds(line: pd.Series) -> str:
    """Its mean ± sd, which one seed alone does not have."""
    spread = "" if pd.isna(line["sd"]) else f" ± {line['sd']:.4f}"
    return f"{line['mean']:.4f}{spread}"


def commands(table: Table) -> str:
    """What runs each row with all its seeds, folded: the lines are long."""
    lines = [_command(experiments) for row in table.settings for experiments in _sweeps(table, row)]
    head = "<details><summary>Commands</summary>"
    return "\n".join([head, "", "```bash", *lines, "```", "", "</details>", ""])


def _sweeps(table: Table, row: str) -> list[list[Experiment]]:
    """The experiments of a row that one command can run."""
    experiments = table.experiments(row)
    if len(table.seed_keys) == 1:
        return [experiments]
    return [[experiment] for experiment in experiments]  # DVC would combine every two seeds


def _command(experiments: list[Experiment]) -> str:
    words = ["dvc", "exp", "run", "--queue"]
    for key, value in experiments[0].settings.items():
        values = [experiment.settings[key] for experiment in experiments]
        if any(other != value for other in values):
            value = ",".join(map(str, values))
        words += ["-S", override(key, value)]
    return shlex.join(words)
