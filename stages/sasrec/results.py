"""The files of a finished run: in a folder, or through DVC as a git revision has them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvc.api import DVCFileSystem
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.scm import RevError, resolve_rev
from dvc_data.index import DataIndexError
from scmrepo.exceptions import SCMError

from sasrec.errors import UserError

RANKS = "data/evaluation/ranks.csv"
WORKSPACE = "workspace"
# What DVC's queue says of an experiment that is no revision yet.
UNFINISHED = {
    "Running": "this experiment is still running: see `dvc queue status`",
    "Queued": "this experiment waits in the queue: `dvc queue start` runs it",
    "Failed": "this experiment failed: `dvc queue logs NAME` shows why",
}


@dataclass(frozen=True)
class Results:
    """Where the files of a run are.

    Attributes:
        name: as the user gave it.
        place: the folder's full path or the full commit id, so equal places are the same run.
        read: takes a path relative to the root of the repository and gives the file's bytes,
            None if there is no such file; raises UserError if DVC cannot read it.
    """

    name: str
    place: str
    read: Callable[[str], bytes | None]


def find_results(name: str) -> Results:
    """The results of `name`: a folder or ranks.csv if there is one, else what DVC knows by it.

    A folder holds data/evaluation/ranks.csv, or ranks.csv itself; `workspace` is the working
    folder. An experiment, branch, tag or commit is read from git and from DVC's cache or remote,
    without checking anything out.

    Raises:
        UserError: there is nothing of that name.
    """
    found = Path("." if name == WORKSPACE else name)
    if found.exists():
        return Results(name, str(found.resolve()), lambda path: _read_file(found, path))
    if name.startswith((".", "/", "~")):
        raise UserError(f"{name}: no such folder or file")
    commit = _resolve(name)
    files = DVCFileSystem(repo=Repo.find_root("."), rev=commit)
    return Results(name, commit, lambda path: _read_revision(files, name, path))


def queue_state(name: str) -> str | None:
    """`Running`, `Queued` or `Failed`, of an experiment in DVC's queue; None if none of these."""
    with Repo(Repo.find_root(".")) as repo:
        entries = repo.experiments.celery_queue.status()
    states = {entry["status"] for entry in entries if entry["name"] == name}
    return next((state for state in UNFINISHED if state in states), None)


def _read_file(found: Path, path: str) -> bytes | None:
    places = [found / path]
    if path == RANKS:
        places += [found / "ranks.csv", found]
    return next((place.read_bytes() for place in places if place.is_file()), None)


def _resolve(name: str) -> str:
    try:
        with Repo(Repo.find_root(".")) as repo:
            if ":" in name:  # to git, a file of a revision
                raise RevError(name)
            return resolve_rev(repo.scm, name)
    except NotDvcRepoError:
        raise UserError(
            f"{name}: no such folder, and no experiment: this folder is in no DVC repository"
        ) from None
    except (DvcException, SCMError):
        raise UserError(f"{name}: {_why_unknown(name)}") from None


def _why_unknown(name: str) -> str:
    """An experiment that has not run, or that failed, is no revision, but DVC's queue lists it."""
    try:
        state = queue_state(name)
    except (DvcException, SCMError):
        return "no such folder, and no experiment: this is no git repository with a commit"
    unknown = "no such folder, experiment, branch or commit: `dvc exp show` lists the experiments"
    return UNFINISHED.get(state, unknown).replace("NAME", name)


def _read_revision(files: DVCFileSystem, name: str, path: str) -> bytes | None:
    try:
        return files.read_bytes(path)
    except (FileNotFoundError, DataIndexError):
        if not files.isdvc(path):
            return None
        raise UserError(
            f"{name}: {path} is not in DVC's cache here: fetch it (`dvc exp pull` for an "
            "experiment, `git checkout` and `dvc pull` for a commit), or run it again"
        ) from None
    except DvcException as error:
        raise UserError(f"{name}: DVC cannot read {path}: {error}") from None
