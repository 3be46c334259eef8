"""The files of a finished run: in a folder, or in a git revision."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.comparing.runs.revisions import find_project, open_revision

RANKS = "data/evaluation/ranks.csv"
WORKSPACE = "workspace"


@dataclass(frozen=True)
class Results:
    """Where the files of a run are.

    Attributes:
        name: as the user gave it.
        place: the folder's full path or the full commit id, so equal places are the same run.
        root: the folder, or the project's; timings lie below it.
        read: takes a path relative to the root of the repository and gives the file's bytes,
            None if there is no such file; raises UserError if it cannot be read.
        why_absent: what to say of results that are not there.
    """

    name: str
    place: str
    root: Path
    read: Callable[[str], bytes | None]
    why_absent: str

    def ranks(self) -> bytes:
        """ranks.csv.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        content = self.read(RANKS)
        if content is None:
            raise UserError(f"{self.name}: there is no {RANKS}: {self.why_absent}")
        return content


def find_results(name: str) -> Results:
    """The results of `name`: a folder or ranks.csv if there is one, else what DVC knows by it.

    A folder holds data/evaluation/ranks.csv, or ranks.csv itself; `workspace` is the project's
    root as it is now. An experiment, branch, tag or commit is read from git and from DVC's cache
    or remote, without checking anything out.

    Raises:
        UserError: there is nothing of that name.
    """
    found = (find_project() or Path(".")) if name == WORKSPACE else Path(name)
    if found.exists():
        why_absent = "expected a folder with that, or with ranks.csv"
        if (found / "dvc.yaml").exists():
            why_absent = "`dvc repro` there makes it"
        place = str(found.resolve())
        return Results(name, place, found, lambda path: _read_file(found, path), why_absent)
    if name.startswith((".", "/", "~")):
        raise UserError(f"{name}: no such folder or file")
    revision = open_revision(name)
    why_absent = "when this was committed, the pipeline had not run or was not there yet"
    return Results(name, revision.commit, revision.root, revision.read, why_absent)


def _read_file(found: Path, path: str) -> bytes | None:
    places = [found / path]
    if path == RANKS:
        places += [found / "ranks.csv", found]
    return next((place.read_bytes() for place in places if place.is_file()), None)
