"""The command that compares two datasets, and what it says of wrong input."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from places import STAGES
from toy_edges import random_edges, renamed

SCRIPT = STAGES / "compare_data.py"


def run(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def write_text(path: Path, edges: np.ndarray) -> Path:
    path.write_text("".join(f"{user} {item}\n" for user, item in edges))
    return path


def write_folder(folder: Path, edges: np.ndarray) -> Path:
    """As preprocess writes it: ids from 1, and here raw ids like u7 and i7."""
    folder.mkdir(parents=True)
    for column, name in enumerate(("user", "item")):
        np.save(folder / f"{name}.npy", (edges[:, column] + 1).astype(np.int32))
        with (folder / f"{name}s.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["id", "raw_id"])
            writer.writerows((n + 1, f"{name[0]}{n}") for n in range(edges[:, column].max() + 1))
    return folder


def test_command_compares_a_file_with_the_pipelines_folder(tmp_path: Path) -> None:
    edges = random_edges(3)
    theirs, users, items = renamed(edges, np.random.default_rng(3))
    reference = write_text(tmp_path / "reference.txt", edges)
    write_folder(tmp_path / "data" / "interactions", theirs)
    equal = run(reference, folder=tmp_path)
    assert (equal.returncode, equal.stderr) == (0, "")
    assert "in the same order" in equal.stdout

    shorter = write_folder(tmp_path / "shorter", theirs[1:])
    different = run(reference, shorter, "--json", "report.json", folder=tmp_path)
    assert (different.returncode, different.stderr) == (1, "")
    report = json.loads((tmp_path / "report.json").read_text())
    user, item = theirs[0]
    example = {
        "user": str(np.flatnonzero(users == user)[0]),
        "user_counterpart": f"u{user}",
        "item": str(np.flatnonzero(items == item)[0]),
        "item_counterpart": f"i{item}",
    }
    assert report["matching"]["examples_in_reference"] == [example]
    assert (
        f"reference: user {example['user']}, item {example['item']} has no counterpart "
        f"(other: user u{user}, item i{item})"
    ) in different.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"1 2\n1 3 4\n", "line 2: expected two whole numbers `user item`, found '1 3 4'"),
        (b"1 2\n\n1 3\n", "line 2: expected"),
        (b"1 2\n1 x\n", "line 2: expected"),
        (b"1 2\n1 -3\n", "line 2: expected"),
        (b"1 99999999999999999999\n", "line 1: expected"),
        (b"1 7\n1 007\n", "line 2: expected two whole numbers `user item`, found '1 007'"),
        (b"\xff\xfe1 2\n", "is not a text file"),
        (None, "not found"),
    ],
)
def test_command_explains_unreadable_text(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "bad.txt").write_bytes(content)
    result = run("bad.txt", folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("user", "item", "message"),
    [
        (None, [1, 2], "user.npy not found"),
        ([1, 1], [1, 2, 3], "user.npy has 2 rows, but item.npy has 3"),
        ([2, 2, 1], [1, 2, 3], "not sorted by user: see row 3"),
        ([], [], "expected one non-empty column"),
    ],
)
def test_command_explains_an_unreadable_folder(
    tmp_path: Path, user: list[int] | None, item: list[int], message: str
) -> None:
    for name, column in (("user", user), ("item", item)):
        if column is not None:
            np.save(tmp_path / f"{name}.npy", np.array(column, dtype=np.int32))
    result = run(tmp_path, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,raw_id\n1,a\n", "users.csv has no row for the id 2"),
        ("id,name\n1,a\n2,b\n", "users.csv lacks the column raw_id"),
        ("id,raw_id\n1,a\n2,b\n1,c\n", "users.csv, line 4: the id 1 again"),
        ("id,raw_id\n1,a\n2\n", "users.csv, line 3: too few fields"),
        ('id,raw_id\n1,"a"b\n2,c\n', "users.csv is not a readable CSV file: "),
    ],
)
def test_command_explains_names_that_are_missing(
    tmp_path: Path, content: str, message: str
) -> None:
    write_folder(tmp_path / "data", np.array([(0, 0), (1, 0)]))
    (tmp_path / "data" / "users.csv").write_text(content)
    result = run("data", "data", folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr


def test_command_explains_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / "data.txt", np.array([(1, 1), (1, 2)]))
    (tmp_path / "taken").mkdir()
    result = run("data.txt", "data.txt", "--json", "taken", folder=tmp_path)
    assert result.returncode == 2
    assert "taken is a folder, expected a file" in result.stderr
    assert result.stderr.count("\n") == 1


def test_command_explains_a_broken_column(tmp_path: Path) -> None:
    (tmp_path / "user.npy").touch()
    result = run(tmp_path, folder=tmp_path)
    assert result.returncode == 2
    assert "user.npy is not a readable .npy array" in result.stderr
    assert result.stderr.count("\n") == 1


def test_command_without_arguments_is_a_wrong_usage(tmp_path: Path) -> None:
    assert run(folder=tmp_path).returncode == 2
