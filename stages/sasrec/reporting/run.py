"""What a finished run left, as a report reads it: whatever is not there is a sentence."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sasrec.base.errors import UserError
from sasrec.comparing.runs.experiments import read_params
from sasrec.comparing.runs.results import Results

MAKES = "`dvc repro` makes it"


class AbsentError(UserError):
    """A file of the run is not there; its message says how to get it."""


@dataclass(frozen=True)
class ReportedRun:
    """A run that is shown.

    Attributes:
        name: as the user gave it.
        folder: where its files lie; None of a git revision.
        params: that it was made with, by dotted name; empty if unknown.
        stale: names of those that have another value in params.yaml.
    """

    name: str
    folder: Path | None
    params: dict[str, Any]
    stale: tuple[str, ...]
    _read: Callable[[str], bytes | None]
    _why_absent: str

    @property
    def dataset(self) -> str | None:
        """The value of data.name."""
        return self.params.get("data.name")

    def bytes_of(self, path: str) -> bytes:
        """A file's content.

        Raises:
            AbsentError: there is none, or it cannot be had.
        """
        try:
            content = self._read(path)
        except UserError as error:
            raise AbsentError(str(error)) from None
        if content is None:
            raise AbsentError(f"{self.name}: there is no {path}: {self._why_absent}")
        return content

    def json_of(self, path: str) -> dict[str, Any]:
        """The object in a JSON file.

        Raises:
            AbsentError: as `bytes_of`.
            UserError: it holds something else.
        """
        try:
            content = json.loads(self.bytes_of(path), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{self.name}: {path} is not valid JSON: {error}") from None
        if not isinstance(content, dict):
            raise UserError(f"{self.name}: {path} is not a JSON object")
        return content

    def csv_of(self, path: str, *columns: str) -> pd.DataFrame:
        """The table in a CSV file, which has these columns at least.

        Raises:
            AbsentError: as `bytes_of`.
            UserError: it is no such table.
        """
        try:
            table = pd.read_csv(io.BytesIO(self.bytes_of(path)))
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{self.name}: {path} is not valid CSV: {reason}") from None
        missing = [name for name in columns if name not in table]
        if missing:
            raise UserError(f"{self.name}: {path} lacks the column {' and '.join(missing)}")
        return table


def read_run(results: Results) -> ReportedRun:
    """The run behind `results`.

    Raises:
        UserError: params.yaml or dvc.lock cannot be read.
    """
    place = Path(results.place)  # of a revision its commit, which is no folder's full path
    folder = place if place.is_absolute() and place.is_dir() else None
    params, stale, _ = read_params(results)
    why_absent = MAKES if folder else results.why_absent
    return ReportedRun(results.name, folder, params, stale, results.read, why_absent)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
