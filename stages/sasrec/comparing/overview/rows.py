"""What `dvc exp show --json` says of the workspace, commits and experiments, as rows."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from sasrec.base.errors import UserError, printable
from sasrec.comparing.flatten import flatten

WORKSPACE = "workspace"
METRICS = "metrics/test.json"
SHOWN = ("HR@10", "NDCG@10")  # of each protocol there
EPOCHS = ("metrics/train.json", "best_epoch")
UNFINISHED = ("queued", "running", "failed")
Value = str | int | float | bool | list[Any] | None


@dataclass(frozen=True)
class Row:
    """The workspace, a commit or an experiment.

    Attributes:
        name: what people call it.
        commit: the name of the row that an experiment starts from; None for the others.
        state: `queued`, `running`, `failed` or `unreadable`; empty for what is done.
        created: as ISO 8601, empty where unknown.
        params: of params.yaml, by dotted name.
        metrics: by dotted name; empty unless it is done.
    """

    name: str
    commit: str | None = None
    state: str = ""
    created: str = ""
    params: dict[str, Value] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def read_rows(options: list[str]) -> list[Row]:
    """The rows of `dvc exp show` with these options: see `rows_of`.

    Raises:
        UserError: DVC fails, such as outside of a repository.
    """
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["without a word"]
        raise UserError(f"`dvc exp show` failed: {lines[0].removeprefix('ERROR: ')}")
    return rows_of(json.loads(result.stdout))


def rows_of(shown: list[dict[str, Any]]) -> list[Row]:
    """The workspace, and each commit in DVC's order with its experiments, the oldest first."""
    rows = []
    for entry in shown:
        name = _name(entry, entry["rev"])
        rows.append(_row(name, entry))
        experiments = [
            _row(
                _name(found, found["revs"][0]["rev"]),
                found["revs"][0],
                commit=name,
                state=(found.get("executor") or {}).get("state"),
            )
            for found in entry.get("experiments") or []
        ]
        rows += sorted(experiments, key=lambda row: (row.created, row.name))
    return rows


def _name(entry: dict[str, Any], revision: str) -> str:
    return entry["name"] or (revision if revision == WORKSPACE else revision[:7])


def _row(name: str, entry: dict[str, Any], commit: str | None = None, state: Any = None) -> Row:
    data = entry.get("data") or {}
    if state not in UNFINISHED:
        state = "unreadable" if entry.get("error") or not data else ""
    return Row(
        name=printable(name),
        commit=commit,
        state=state,
        created=data.get("timestamp") or "",
        params=flatten(_content(data, "params", "params.yaml")),
        # DVC gives an experiment that has not ended the metrics that it began with.
        metrics={} if state else _metrics(data),
    )


def _metrics(data: dict[str, Any]) -> dict[str, float]:
    test = flatten(_content(data, "metrics", METRICS))
    path, name = EPOCHS
    found = {key: value for key, value in test.items() if key.rpartition(".")[2] in SHOWN}
    train = _content(data, "metrics", path)
    return found | ({name: train[name]} if name in train else {})


def _content(data: dict[str, Any], kind: str, path: str) -> dict[str, Any]:
    """What DVC read from a file; empty where it could not."""
    content = data.get(kind, {}).get(path, {}).get("data")
    return content if isinstance(content, dict) else {}
