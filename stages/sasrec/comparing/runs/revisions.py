"""The files of a git revision: what git holds, and the outputs in DVC's cache or remote."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.repo import Repo
from dvc.repo.brancher import switch
from dvc.scm import NoSCM, RevError, resolve_rev
from dvc_data.index import DataIndexError
from pygit2 import GitError
from scmrepo.exceptions import SCMError

from sasrec.base.errors import UserError

# What DVC's queue says of an experiment that is no revision yet.
UNFINISHED = {
    "Running": "this experiment is still running: see `dvc queue status`",
    "Queued": "this experiment waits in the queue: `dvc queue start` runs it",
    "Failed": "this experiment failed: `dvc queue logs NAME` shows why",
}


@dataclass(frozen=True)
class Revision:
    """A commit, the name by which the user knows it, and the root of the DVC repository."""

    name: str
    commit: str
    root: Path

    def read(self, path: str) -> bytes | None:
        """A file's bytes, None if the commit knows no such file.

        Args:
            path: relative to the root of the DVC repository, which may be a subfolder of git's.

        Raises:
            UserError: it is an output of the pipeline that is not here or cannot be read.
        """
        try:
            with Repo(self.root) as repo, switch(repo, self.commit):
                try:
                    return repo.fs.read_bytes(repo.fs.join(repo.root_dir, path))
                except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                    return self._read_output(repo, path)
        except NotDvcRepoError:  # git's root had no such subfolder yet
            return None

    def _read_output(self, repo: Repo, path: str) -> bytes | None:
        files, place = repo.dvcfs, f"/{path}"
        try:
            try:
                recorded = files.info(place).get("md5")
            except FileNotFoundError:
                return None
            content = files.read_bytes(place)
        except FileNotFoundError:
            raise UserError(self._absent(repo, path)) from None
        except DataIndexError as error:  # of an output that is a folder, the list of its files
            if isinstance(error.__cause__, FileNotFoundError):
                raise UserError(self._absent(repo, path)) from None
            raise UserError(self._unreadable(repo, path, error.__cause__ or error)) from None
        except Exception as error:  # DVC passes on whatever the library of a remote raises
            raise UserError(self._unreadable(repo, path, error)) from None
        if recorded not in (None, hashlib.md5(content, usedforsecurity=False).hexdigest()):
            raise UserError(self._damaged(repo, path, recorded))
        return content

    def _absent(self, repo: Repo, path: str) -> str:
        remote = repo.config["core"].get("remote")
        if remote is None:
            return (
                f"{self.name}: {path} is not in DVC's cache here, and no remote is configured "
                f"to fetch it from: {self._remake(repo)}"
            )
        return (
            f"{self.name}: {path} is neither in DVC's cache here nor to be had from the remote "
            f"{remote}: `dvc push` where it was made (`dvc exp push` for an experiment), or "
            f"{self._remake(repo)}"
        )

    def _damaged(self, repo: Repo, path: str, recorded: str) -> str:
        copy = Path(repo.cache.local.oid_to_path(recorded))
        first = f"remove {copy} and" if copy.exists() else "mend the remote's, or"
        return (
            f"{self.name}: {path} is not what was recorded, DVC's copy is damaged: {first} "
            f"{self._remake(repo)}"
        )

    def _unreadable(self, repo: Repo, path: str, error: BaseException) -> str:
        reason = f"{type(error).__name__}: {_one_line(error)}"
        return f"{self.name}: DVC cannot read {path} ({reason}): mend that, or {self._remake(repo)}"

    def _remake(self, repo: Repo) -> str:
        """How to have the outputs again; another CPU or number of threads gives other ranks."""
        experiments = {"base": "refs/exps", "exclude": "refs/exps/exec/*"}
        if repo.scm.describe([self.commit], **experiments)[self.commit]:
            return f"make it again by `dvc exp apply {self.name}` and `dvc repro`"
        checkout = f"`git checkout {self.name}` and "
        if self.commit == repo.scm.get_rev():
            checkout = ""
        return f"make it again by {checkout}`dvc repro`, and commit dvc.lock if that changes it"


def find_project() -> Path | None:
    """The root of the DVC repository that the working folder is in, None outside of one."""
    try:
        return Path(Repo.find_root("."))
    except NotDvcRepoError:
        return None


def open_revision(name: str) -> Revision:
    """The commit that an experiment, branch, tag or commit's id names.

    Raises:
        UserError: there is none of this name, or no repository to look in.
    """
    root = find_project()
    nothing = f"{name}: no such folder, and no experiment"
    if root is None:
        raise UserError(f"{nothing}: this folder is in no DVC repository")
    for logger in ("dvc", "dvc_data", "dvc_objects", "scmrepo"):  # progress bars follow it too
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        with Repo(root) as repo:
            if isinstance(repo.scm, NoSCM) or repo.scm.no_commits:
                raise UserError(f"{nothing}: {root} is in no git repository with a commit")
            return Revision(name, _resolve(repo, name), root)
    except DvcException as error:
        raise UserError(f"{name}: DVC cannot open {root}: {_one_line(error)}") from None
    except (SCMError, GitError, KeyError) as error:
        raise UserError(f"{name}: git cannot read {root}: {_one_line(error)}") from None


def _resolve(repo: Repo, name: str) -> str:
    try:
        commit = resolve_rev(repo.scm, name)
    except RevError:
        raise UserError(f"{name}: {_why_unknown(repo, name)}") from None
    is_commit = repo.scm.dulwich.repo[commit.encode()].type_name == b"commit"
    if not is_commit or ":" in name:  # a file or folder of a revision has an id too
        raise UserError(f"{name}: {_why_unknown(repo, name)}")
    return commit


def queue_state(name: str) -> str | None:
    """`Running`, `Queued` or `Failed`, of an experiment in DVC's queue; None if none of these."""
    root = find_project()
    if root is None:
        return None
    with Repo(root) as repo:
        entries = repo.experiments.celery_queue.status()
    states = {entry["status"] for entry in entries if entry["name"] == name}
    return next((state for state in UNFINISHED if state in states), None)


def _why_unknown(repo: Repo, name: str) -> str:
    """An experiment that has not run, or that failed, is no revision, but DVC's queue lists it."""
    state = queue_state(name)
    if state is not None:
        return UNFINISHED[state].replace("NAME", name)
    unknown = "no such folder, experiment, branch or commit: `dvc exp show` lists the experiments"
    if (Path(repo.scm.dulwich.repo.commondir()) / "shallow").exists():
        return f"{unknown}, and `git fetch --unshallow` brings the commits that this clone lacks"
    return unknown


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
