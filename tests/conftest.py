"""One thread for each test process: toy arrays gain nothing from more, parallel runs lose.

Property tests have no deadline: on a busy machine a first example may take a second.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch
from hypothesis import settings
from toy_stages import run, set_params, write_interactions

from sasrec.base.private_file import CacheError, PrivateFile
from sasrec.kernels import compiled_code, compiling

torch.set_num_threads(1)
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def kept_kernels() -> Iterator[None]:
    """Kernels of toy sizes, compiled once on a machine."""
    file = PrivateFile("tests", compiling.key())

    def take_over() -> None:
        if code := file.read():
            compiled_code.take_over(code)

    with suppress(CacheError):
        take_over()
    yield
    if compiled_code.compiled_here():
        with suppress(CacheError), file.lock():
            take_over()  # what other processes compiled meanwhile
            file.write(compiled_code.hand_over())


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory):
    """A folder in which split, train and evaluate have run as scripts; and what they printed."""
    folder = tmp_path_factory.mktemp("pipeline")
    write_interactions(folder / "data" / "interactions")
    set_params(folder)
    printed = {}
    for stage in ("split", "train", "evaluate"):
        finished = run(folder, stage)
        assert finished.returncode == 0, finished.stderr
        assert finished.stderr == ""
        printed[stage] = finished.stdout
    return folder, printed


@pytest.fixture
def folder(pipeline, tmp_path, monkeypatch):
    """A copy of that folder to spoil, as the working directory."""
    copy = tmp_path / "copy"
    shutil.copytree(pipeline[0], copy)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Torch computes in two threads, wherever it runs."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)
