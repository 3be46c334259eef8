"""Fetching from a mirror, the cache and a server on this machine; each failure a sentence."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from sasrec.base.errors import UserError
from sasrec.sources import fetching
from sasrec.sources.collecting import unpack
from sasrec.sources.datasets import DATASETS, Checksum, Dataset, Download
from sasrec.sources.fetching import digest, obtain

AUTHORS_FILE = Path(os.environ.get("SASREC_MIRROR", ""), "ml-1m.txt").absolute()
BODY = b"1 1\n1 2\n" * 1000


class Handler(BaseHTTPRequestHandler):
    """Serves BODY at /good, and broken answers elsewhere."""

    asked: list[str]

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        sent = {"/truncated": BODY[:100], "/altered": b"2" + BODY[1:]}
        self.wfile.write(sent.get(self.path, BODY))

    def log_message(self, *args: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    Handler.asked = []
    with HTTPServer(("127.0.0.1", 0), Handler) as instance:
        threading.Thread(target=instance.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{instance.server_port}"
        instance.shutdown()


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SASREC_MIRROR", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def download(url: str = "http://127.0.0.1:9/unused", body: bytes = BODY) -> Download:
    return Download("a.txt", (Checksum("sha256", hashlib.sha256(body).hexdigest()),), url=url)


def refused(download: Download) -> str:
    """The message of a failed `obtain`, which leaves nothing in the cache."""
    with pytest.raises(UserError) as error:
        obtain(download)
    assert not list(Path(".cache/downloads").glob("*"))
    assert "\n" not in str(error.value)
    assert "SASREC_MIRROR" in str(error.value)
    return str(error.value)


def test_a_git_blob_id_is_git_s(tmp_path):
    (tmp_path / "hello").write_bytes(b"hello\n")
    # What `echo hello | git hash-object --stdin` prints.
    assert digest(tmp_path / "hello", "git-blob") == "ce013625030ba8dba906f756967f9e9ca394464a"


def test_a_download_is_kept_and_used_again(server, root):
    path = obtain(download(f"{server}/good"))
    assert path == root / ".cache/downloads/a.txt"
    assert path.read_bytes() == BODY
    assert obtain(download(f"{server}/good")) == path
    assert Handler.asked == ["/good"]


def test_a_corrupt_cache_is_replaced(server, root):
    cached = root / ".cache/downloads/a.txt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half")
    assert obtain(download(f"{server}/good")).read_bytes() == BODY


def test_the_cache_and_a_relative_mirror_lie_under_dvc_s_root(server, root, monkeypatch):
    (root / "repo" / "mirror").mkdir(parents=True)
    monkeypatch.setenv("DVC_ROOT", str(root / "repo"))
    assert obtain(download(f"{server}/good")) == root / "repo/.cache/downloads/a.txt"
    (root / "repo/mirror/a.txt").write_bytes(BODY)
    monkeypatch.setenv("SASREC_MIRROR", "mirror")
    assert obtain(download()) == root / "repo/mirror/a.txt"


def test_a_mirror_comes_first_and_what_it_lacks_is_fetched(server, root, monkeypatch):
    monkeypatch.setenv("SASREC_MIRROR", str(root))
    assert obtain(download(f"{server}/good")) == root / ".cache/downloads/a.txt"
    (root / "a.txt").write_bytes(BODY)
    assert obtain(download(f"{server}/good")) == root / "a.txt"


def test_a_wrong_file_in_the_mirror_is_named(root, monkeypatch):
    monkeypatch.setenv("SASREC_MIRROR", str(root))
    (root / "a.txt").write_bytes(b"other")
    message = refused(download())
    assert message.startswith(f"{root}/a.txt (in SASREC_MIRROR) is not the file that is meant")
    assert hashlib.sha256(b"other").hexdigest() in message


def test_a_mirror_that_is_no_folder_is_named(monkeypatch):
    monkeypatch.setenv("SASREC_MIRROR", "nowhere")
    assert refused(download()) == "SASREC_MIRROR = 'nowhere': there is no such folder"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda: Path("mirror").write_text(""),
            "SASREC_MIRROR = 'mirror' is a file: expected the folder that holds it",
        ),
        (
            lambda: Path("mirror/a.txt").mkdir(parents=True),
            "{root}/mirror/a.txt (in SASREC_MIRROR) is a folder, expected the file itself",
        ),
        (
            lambda: (Path("mirror").mkdir(), Path("mirror/a.txt").symlink_to("gone")),
            "{root}/mirror/a.txt (in SASREC_MIRROR) is a link to gone, not there",
        ),
    ],
)
def test_a_mirror_of_another_kind_is_named_and_nothing_is_fetched(
    server, root, monkeypatch, spoil, message
):
    monkeypatch.setenv("SASREC_MIRROR", "mirror")
    spoil()
    assert refused(download(f"{server}/good")) == message.format(root=root)
    assert Handler.asked == []


def test_a_folder_in_the_cache_is_named(server, root):
    (root / ".cache/downloads/a.txt").mkdir(parents=True)
    with pytest.raises(UserError, match=r"a\.txt is a folder, expected a file: remove it"):
        obtain(download(f"{server}/good"))


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("missing", "the server answered 404 Not Found"),
        ("truncated", "the connection broke before the whole file came"),
        ("altered", "is not the file that is meant: its checksum is sha256"),
    ],
)
def test_a_bad_answer_is_one_sentence(server, page, reason):
    message = refused(download(f"{server}/{page}"))
    assert reason in message
    assert "a.txt" in message


def test_an_unreachable_host_is_one_sentence():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    message = refused(download(f"http://127.0.0.1:{port}/good"))
    assert "the host cannot be reached (Connection refused)" in message


def test_a_silent_server_is_one_sentence(monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", (0.1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        message = refused(download(f"http://127.0.0.1:{silent.getsockname()[1]}/good"))
    assert "the server did not answer in time" in message


def test_a_large_download_says_so(server, monkeypatch, capsys):
    monkeypatch.setattr(fetching, "SHOW_PROGRESS_FROM", 100)
    obtain(download(f"{server}/good"))
    assert capsys.readouterr().err == "downloading a.txt (0 MB)\n"


def wheel(stderr: str, code: int, monkeypatch) -> Download:
    """A download whose pip prints `stderr` and exits with `code`, without a wheel."""

    def run(command: list[str], **kwargs: object) -> subprocess.CompletedProcess:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert command[-1] == "some==1"
        return subprocess.CompletedProcess(command, code, "", stderr)

    monkeypatch.setattr(subprocess, "run", run)
    return Download("some-1-py3-none-any.whl", (), requirement="some==1")


NOTHING = (
    "ERROR: Could not find a version that satisfies the requirement some==1 (from versions: none)\n"
    "ERROR: No matching distribution found for some==1\n"
)
RETRYING = "WARNING: Retrying (Retry(total=0)) after connection broken by '%s': /simple/some/\n"


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        (
            RETRYING % "NewConnectionError('<a.B object at 0x7f>: Failed: [Errno 111] Refused')",
            "the package index cannot be reached (Failed: [Errno 111] Refused)",
        ),
        (
            RETRYING % 'ReadTimeoutError("Read timed out. (read timeout=15)")',
            "the package index cannot be reached (ReadTimeoutError(",
        ),
        ("", "the package index cannot be reached, or does not hold it"),
    ],
)
def test_without_a_network_pip_s_words_are_explained(monkeypatch, stderr, said):
    message = refused(wheel(stderr + NOTHING, 1, monkeypatch))
    assert f"(the Python wheel some==1): {said}" in message
    assert "; pip says: No matching distribution found for some==1; to use a copy" in message
    assert "put some-1-py3-none-any.whl in a folder and name it in SASREC_MIRROR" in message


@pytest.mark.parametrize(
    ("stderr", "code", "said"),
    [
        ("WARNING: slow\nERROR: first\nERROR: No matching some==1\n", 1, "No matching some==1"),
        ("python: No module named pip\n", 1, "python: No module named pip"),
        ("", 0, "nothing"),
    ],
)
def test_a_failing_pip_is_quoted_in_one_sentence(monkeypatch, stderr, code, said):
    message = refused(wheel(stderr, code, monkeypatch))
    assert f"(the Python wheel some==1): pip says: {said};" in message


def test_the_wanted_members_of_an_archive_are_copied(root):
    with zipfile.ZipFile(root / "a.zip", "w") as archive:
        archive.writestr("folder/x.dat", b"x\r\n")
        archive.writestr("folder/README", b"no")
    known = hashlib.sha256(b"x\r\n").hexdigest()
    dataset = Dataset("movielens", None, None, members={"folder/x.dat": known})
    (root / "raw").mkdir()
    unpack(root / "a.zip", dataset, root / "raw")
    assert [path.name for path in (root / "raw").iterdir()] == ["x.dat"]
    assert (root / "raw/x.dat").read_bytes() == b"x\r\n"


def test_the_registry_s_digests_have_their_kind_s_length():
    lengths = {"sha256": 64, "md5": 32, "git-blob": 40}
    for dataset in DATASETS.values():
        checksums = dataset.download.checksums if dataset.download else ()
        assert all(len(each.digest) == lengths[each.kind] for each in checksums)
        assert bool(checksums) == (dataset.format not in ("local", "synthetic"))


@pytest.mark.skipif(not AUTHORS_FILE.is_file(), reason="needs ml-1m.txt in SASREC_MIRROR")
def test_the_authors_file_has_both_its_checksums():
    (expected,) = DATASETS["ml-1m-sasrec"].download.checksums
    assert digest(AUTHORS_FILE, "sha256") == expected.digest
    assert digest(AUTHORS_FILE, "git-blob") == "9ab8e3edb8742f8d8cc4911e3dee25e82a6fcc24"
