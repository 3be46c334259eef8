"""Files of checkpoints: written whole, found by their training alone, never a reason to fail."""

import os
import time
from pathlib import Path

import pytest
import torch

from sasrec.training import checkpoints
from sasrec.training.checkpoints import FOLDER, KEPT, KEPT_DAYS, Checkpoints, Content

IDENTITY = {"parameters": "0123", "data": "4567"}
CONTENT = Content(
    {"weights": torch.arange(7.0), "steps": torch.tensor(3), "none": torch.empty(0, 2)},
    {"epochs": [{"loss": 0.1 + 0.2}], "nan": None},
)


@pytest.fixture(autouse=True)
def root(here, monkeypatch):
    """The main checkout, which is not the working folder of an experiment."""
    monkeypatch.setenv("DVC_ROOT", str(here / "main"))
    monkeypatch.setattr(checkpoints, "SHARE", 1)
    return here / "main"


@pytest.fixture
def lines():
    return []


def written(lines, identity=IDENTITY):
    """A checkpoint's path, after it was written."""
    one = Checkpoints(identity, lines.append)
    with one.opened():
        assert one.write(CONTENT)
    return one.path


def read(lines, identity=IDENTITY):
    one = Checkpoints(identity, lines.append)
    with one.opened():
        return one.read()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_was_written_is_read_by_the_same_training(root, lines):
    path = written(lines)
    assert path.parent == root / FOLDER
    found = read(lines)
    assert found.facts == CONTENT.facts
    assert found.tensors.keys() == CONTENT.tensors.keys()
    for name, tensor in CONTENT.tensors.items():
        assert torch.equal(found.tensors[name], tensor)
        assert found.tensors[name].dtype == tensor.dtype
    assert lines == []


def test_the_last_one_is_kept_until_the_end(lines):
    path = written(lines)
    one = Checkpoints(IDENTITY, lines.append)
    with one.opened():
        assert one.write(Content({"weights": torch.ones(3)}, {"epochs": []}))
        assert one.read().facts == {"epochs": []}
        assert len(names(path.parent)) == 2, "and its lock"
        one.remove()
    assert names(path.parent) == []


def change_a_weight(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-3])


def empty(path):
    path.write_bytes(b"")


def foreign(path):
    path.write_bytes(b"\x80\x04cos\nsystem\n" * 9)


def of_another(path):
    other = written([], {"parameters": "x", "data": "y"})
    other.replace(path)


def changed_facts(path):
    path.write_bytes(path.read_bytes().replace(b"loss", b"lass"))


def without_header(path):
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(3)}, path)


@pytest.mark.parametrize(
    "spoil", [change_a_weight, cut, empty, foreign, of_another, changed_facts, without_header]
)
def test_what_is_torn_or_foreign_is_left_out_with_a_line(spoil, lines):
    path = written(lines)
    spoil(path)
    assert read(lines) is None
    (line,) = lines
    assert "is no checkpoint of this training: " in line
    assert line.endswith("; it is left out")
    assert "\n" not in line
    assert written(lines) == path
    assert read(lines) is not None


@pytest.mark.parametrize("place", ["save_file", "os.fsync"])
def test_a_full_disk_is_told_once_and_the_old_one_stays(place, lines, monkeypatch):
    path = written(lines)

    def full(*_arguments):
        if place == "save_file":
            raise checkpoints.SafetensorError("I/O error: No space left on device (os error 28)")
        raise OSError(28, "No space left on device")

    one = Checkpoints(IDENTITY, lines.append)
    with one.opened():
        with monkeypatch.context() as patch:
            patch.setattr(f"sasrec.training.checkpoints.{place}", full)
            for _ in range(3):
                assert not one.write(Content({"weights": torch.ones(3)}, {}))
        (line,) = lines
        assert line.startswith("Mind: no checkpoint is kept: ")
        assert "No space left on device" in line
        assert len(names(path.parent)) == 2
        assert one.read().facts == CONTENT.facts
        assert one.write(Content({"weights": torch.ones(3)}, {})), "there is space again"


def test_a_folder_that_cannot_be_made_is_told_once(root, lines):
    root.write_text("a file")
    one = Checkpoints(IDENTITY, lines.append)
    with one.opened():
        assert one.read() is None
        assert not one.write(CONTENT)
        one.remove()
    (line,) = lines
    assert line.startswith("Mind: no checkpoint is kept: ")


def test_of_two_at_a_time_the_second_goes_without(lines):
    first = Checkpoints(IDENTITY, lines.append)
    with first.opened():
        assert first.write(CONTENT)
        second = Checkpoints(IDENTITY, lines.append)
        with second.opened():
            assert second.read() is None
            assert not second.write(CONTENT)
            second.remove()
        assert first.read() is not None
    assert lines == ["Mind: another process trains the very same, and keeps checkpoints"]


def test_what_a_killed_process_left_is_removed(lines):
    path = written(lines)
    left = path.with_name(f".{path.name}.0a1b2c3d.tmp")
    left.mkdir()
    (left / ".tmpXyZ").write_bytes(b"half")
    assert read(lines) is not None
    assert not left.exists()


def test_writing_takes_a_share_of_the_time(lines, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 20)
    clock = iter([0.0, 10.0, 12.0, 49.9, 50.0, 50.0, 51.0])
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(checkpoints, "_write", lambda *arguments: None)
    one = Checkpoints(IDENTITY, lines.append)
    with one.opened():
        assert one.write(CONTENT)  # from 10 to 12 seconds: the next one is due at 50
        assert not one.write(CONTENT)
        assert one.write(CONTENT)


def test_others_are_removed_when_they_are_old_or_many(lines, monkeypatch):
    monkeypatch.setattr(checkpoints, "KEPT", 99)
    paths = [written(lines, {"parameters": str(number)}) for number in range(KEPT + 2)]
    for age, path in enumerate(paths):
        changed = time.time() - age
        os.utime(path, (changed, changed))
    monkeypatch.setattr(checkpoints, "KEPT", KEPT)
    busy = Checkpoints({"parameters": str(KEPT + 1)}, lines.append)
    with busy.opened():  # the oldest one is in use
        written(lines)
    assert [path.exists() for path in paths] == [True] * KEPT + [False, True]
    old = time.time() - (KEPT_DAYS * 24 + 1) * 3600
    os.utime(paths[0], (old, old))
    written(lines)
    assert not paths[0].exists()
    assert not paths[0].with_suffix(".lock").exists()
    assert paths[1].exists()


def test_it_says_by_what_an_interrupted_training_is_another(root, lines):
    path = written(lines, {"parameters": "other", "data": "4567"})
    assert read(lines) is None
    assert lines == [
        f"a training that was interrupted ({path}) is another one by its parameters: this one "
        "starts anew"
    ]
    del lines[:]
    running = Checkpoints({"parameters": "other", "data": "4567"}, lines.append)
    with running.opened():
        assert read(lines) is None
    path.write_bytes(b"torn")
    assert read(lines) is None
    assert lines == [], "neither one that runs nor one that is damaged"
    assert Path(root / FOLDER).is_dir()
