"""Getting one published file, checked: from the mirror folder, the cache, or the network.

The environment variable SASREC_MIRROR names a folder that is looked in first, by file name;
it changes no parameter, so it changes no hash. What the network gave is kept in
`.cache/downloads/`, so that neither the next run nor a queued experiment fetches it again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import requests

from sasrec.base.checkout import main_checkout
from sasrec.base.errors import UserError
from sasrec.sources.datasets import Checksum, Download

MIRROR_HINT = "to use a copy of your own, put {file} in a folder and name it in SASREC_MIRROR"
TIMEOUT = (10, 60)  # seconds: to connect, and between two packets
CHUNK = 1 << 20  # bytes
SHOW_PROGRESS_FROM = 4 << 20  # bytes


def obtain(download: Download) -> Path:
    """The path of a verified copy of `download`.

    Raises:
        UserError: the mirror's file has a wrong checksum, or the file cannot be fetched.
    """
    root = main_checkout()
    mirror = os.environ.get("SASREC_MIRROR")
    if mirror:
        path = _mirrored(root / mirror, mirror, download)  # an absolute mirror replaces the root
        if path is not None:
            return path
    cached = root / ".cache" / "downloads" / download.file
    if cached.is_dir():
        raise UserError(f"{cached} is a folder, expected a file: remove it")
    if cached.is_file() and _mismatch(cached, download.checksums) is None:
        return cached
    cached.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own, since queued experiments may fetch the same file at the same time.
    with tempfile.TemporaryDirectory(dir=cached.parent) as temporary:
        path = Path(temporary) / download.file
        _fetch(download, path)
        _verify(path, download, f"{download.file} from {download.origin}")
        path.replace(cached)
    return cached


def _fetch(download: Download, path: Path) -> None:
    """Bring the file to `path`, not verified yet."""
    if download.archive is not None:
        _fetch_member(download.archive, str(download.member), path)
    elif download.requirement is not None:
        _fetch_wheel(download, path)
    else:
        _fetch_url(download, path)


def _mirrored(folder: Path, mirror: str, download: Download) -> Path | None:
    """The verified file in the mirror folder, None if it lacks it."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"SASREC_MIRROR = {mirror!r} is a file: expected the folder that holds it")
    if not folder.is_dir():
        raise UserError(f"SASREC_MIRROR = {mirror!r}: there is no such folder")
    path = folder / download.file
    if path.is_dir():
        raise UserError(f"{path} (in SASREC_MIRROR) is a folder, expected the file itself")
    if path.is_symlink() and not path.exists():
        raise UserError(f"{path} (in SASREC_MIRROR) is a link to {path.readlink()}, not there")
    if not path.exists():
        return None
    _verify(path, download, f"{path} (in SASREC_MIRROR)")
    return path


def digest(path: Path, kind: str) -> str:
    """The hexadecimal digest of a file.

    `git-blob` is SHA-1 over `blob <size>`, a zero byte, and the content.
    """
    state = hashlib.new("sha1" if kind == "git-blob" else kind, usedforsecurity=False)
    if kind == "git-blob":
        state.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            state.update(chunk)
    return state.hexdigest()


def _mismatch(path: Path, checksums: tuple[Checksum, ...]) -> str | None:
    """What is wrong with the file's checksum, or None."""
    for expected in checksums:
        found = digest(path, expected.kind)
        if found != expected.digest:
            return f"{expected.kind} {found}, expected {expected.digest}"
    return None


def _verify(path: Path, download: Download, label: str) -> None:
    wrong = _mismatch(path, download.checksums)
    if wrong:
        hint = MIRROR_HINT.format(file=f"the right {download.file}")
        raise UserError(f"{label} is not the file that is meant: its checksum is {wrong}; {hint}")


def _fetch_url(download: Download, path: Path) -> None:
    """Download `download.url` to `path`."""
    assert download.url is not None
    # Unencoded, so that the body is the file and Content-Length its size.
    headers = {"Accept-Encoding": "identity"}
    try:
        with requests.get(download.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            _copy_body(response, path, download.file)
    except requests.HTTPError as error:
        status = f"{error.response.status_code} {error.response.reason}"
        _give_up(download, f"the server answered {status}")
    except requests.Timeout:
        _give_up(download, "the server did not answer in time")
    except requests.exceptions.ChunkedEncodingError as error:
        _give_up(download, f"the connection broke before the whole file came ({_cause(error)})")
    except requests.ConnectionError as error:
        _give_up(download, f"the host cannot be reached ({_cause(error)})")
    except requests.RequestException as error:
        _give_up(download, f"the transfer failed ({_cause(error)})")


def _copy_body(response: requests.Response, path: Path, name: str) -> None:
    advance = _progress(name, int(response.headers.get("Content-Length", 0)))
    received = 0
    with path.open("wb") as stream:
        for chunk in response.iter_content(CHUNK):
            stream.write(chunk)
            received += len(chunk)
            advance(received)


def _progress(name: str, expected: int) -> Callable[[int], None]:
    """A function that shows how far a large download is: a live line on a terminal."""
    if expected < SHOW_PROGRESS_FROM:
        return lambda received: None
    total = expected / 1e6
    if not sys.stderr.isatty():
        print(f"downloading {name} ({total:.0f} MB)", file=sys.stderr)
        return lambda received: None
    shown = 0.0

    def show(received: int) -> None:
        nonlocal shown
        done = received >= expected
        if done or time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            line = f"\rdownloading {name}: {received / 1e6:.1f} of {total:.1f} MB"
            print(line, end="\n" if done else "", file=sys.stderr, flush=True)

    return show


def _fetch_member(archive: Download, member: str, path: Path) -> None:
    """Take a file out of an archive that is obtained for it."""
    with (
        zipfile.ZipFile(obtain(archive)) as opened,
        opened.open(member) as content,
        path.open("wb") as copy,
    ):
        shutil.copyfileobj(content, copy)


def _fetch_wheel(download: Download, path: Path) -> None:
    """Let pip download the wheel, from whichever index it is set up with."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--quiet", "--no-input", "--disable-pip-version-check"]
        options += ["--no-deps", "--only-binary=:all:", "--dest", folder]
        command = [sys.executable, "-m", "pip", "download", *options, str(download.requirement)]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False
        )
        wheel = Path(folder) / download.file
        if done.returncode != 0 or not wheel.is_file():
            _give_up(download, _what_pip_means(done.stderr))
        shutil.copyfile(wheel, path)


def _what_pip_means(output: str) -> str:
    """Why pip got no wheel: without a network it says no more than that nothing matches."""
    said = f"pip says: {_last_error(output)}"
    broken = re.search(r"after connection broken by '(.*)': /", output)
    if broken:
        reason = re.sub(r"^.*>: |'?\)?$", "", broken[1])
        return f"the package index cannot be reached ({reason}); {said}"
    if "(from versions: none)" in output:
        return f"the package index cannot be reached, or does not hold it; {said}"
    return said


def _last_error(output: str) -> str:
    """pip's last ERROR line, without its prefix; else its last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["nothing"])[-1]


def _cause(error: BaseException) -> str:
    """The innermost reason of a failed request, on one line."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())


def _give_up(download: Download, reason: str) -> NoReturn:
    hint = MIRROR_HINT.format(file=download.file)
    raise UserError(f"cannot get {download.file} ({download.origin}): {reason}; {hint}")
