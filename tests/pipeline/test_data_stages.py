"""The stages download and preprocess in a folder of their own, as scripts and as functions."""

import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from toy_data_stages import (
    CSV,
    DATA,
    STAGES,
    fail,
    read,
    refuse,
    set_params,
    succeed,
    write_source,
)
from toy_sources import T

import download
import preprocess
from sasrec.data.catalogue import Catalogue
from sasrec.data.features import features_of
from sasrec.sources.datasets import FILMS, MAPPING

AUTHORS_FILE = Path(os.environ.get("SASREC_MIRROR", ""), "ml-1m.txt").absolute()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / "mine.csv").write_text(CSV)
    set_params(tmp_path)
    return tmp_path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_local_file_by_hand(folder, suffix):
    write_source(folder, suffix)
    set_params(folder, path=f"mine{suffix}")
    output = succeed(folder, "download", "preprocess")
    assert "local: 7 interactions → 5 of 2 users and 2 items" in output

    # In time: ann bread 100, ben tea 200, ben bread 300, ann tea 300 (twice), ann tea 400, and
    # cleo's only one at 400; the repetition and cleo are dropped.
    assert read(folder) == {
        "user": [1, 1, 1, 2, 2],
        "item": [1, 2, 2, 2, 1],
        "timestamp": [T + 100, T + 300, T + 400, T + 200, T + 300],
        "rating": [5.0, 2.0, 3.0, 4.0, 5.0],
    }
    written = folder / "data/interactions"
    assert (written / "users.csv").read_bytes() == b"id,raw_id\n1,ann\n2,ben\n"
    assert (written / "items.csv").read_bytes() == b'id,raw_id\n1,"bread, rye"\n2,tea\n'
    facts = json.loads((written / "dataset.json").read_text())
    assert len(facts.pop("fingerprint")) == 16
    assert facts == {
        "name": "local",
        "num_users": 2,
        "num_items": 2,
        "num_interactions": 5,
        "has_ratings": True,
        "has_timestamps": True,
        "time_unit": "s",
    }
    metrics = json.loads((folder / "metrics/data.json").read_text())
    assert metrics["dropped"] == {
        "repeated_headers": 0,
        "missing_id": 0,
        "missing_time": 0,
        "min_rating": 0,
        "duplicates": 1,
        "min_interactions": 1,
    }
    assert "0 without a time, 0 under data.min_rating, 1 duplicates, 1 by " in output
    assert "Mind: " not in output
    assert metrics["ties"] == {
        "neighbours": 0,
        "item_id_rises": 0.0,
        "item_id_falls": 0.0,
        "file_grouped_by_item": False,
    }
    assert metrics["sequence_length"] == {"mean": 2.5, "median": 2.5, "max": 3}


def test_what_may_be_wrong_in_the_data_is_printed(folder, capsys):
    header = CSV.splitlines(keepends=True)[0]
    rows = [f"u{n},{item},5,{T}\n" for item in ("tea", "milk") for n in range(20)]
    (folder / "mine.csv").write_text(header + "".join(rows) + header + f"NA,tea,5,{T}\n")
    set_params(folder, min_interactions=1)
    download.main()
    preprocess.main()
    metrics = json.loads((folder / "metrics/data.json").read_text())
    assert metrics["dropped"]["repeated_headers"] == 1
    assert metrics["ties"]["item_id_falls"] == 1
    output, said = capsys.readouterr()
    assert "local: 41 interactions → 41 of 21 users and 2 items" in output
    assert "dropped: 1 repeated headers, " in output
    assert said.count("Mind: ") == said.count("\n") == 5
    assert "Mind: 'user' is 'NA' in 1 row; " in said
    assert "Mind: 97.6% of interactions have the same time" in said
    assert "of 20 neighbours there 100.0% fall" in said
    assert "Mind: all interactions have the same time" in said
    assert "Mind: 100.0% of the users have fewer than 3 interactions" in said


def test_order_columns_and_plain_quotes_reach_the_reader(folder):
    (folder / "mine.csv").write_text(
        f'user,item,rating,timestamp,n,k\na,"c" d,1,{T},2,1\na,b,1,{T},1,2\na,a,1,{T},1,1\n'
    )
    set_params(
        folder, columns=DATA["columns"] | {"order": ["n", "k"], "timestamp": None}, quoted=False,
        min_interactions=1,
    )  # fmt: skip
    download.main()
    preprocess.main()
    written = folder / "data/interactions"
    assert (written / "items.csv").read_text() == 'id,raw_id\n1,a\n2,b\n3,"""c"" d"\n'
    assert np.load(written / "timestamp.npy").tolist() == [3, 2, 1]
    facts = json.loads((written / "dataset.json").read_text())
    assert (facts["has_timestamps"], facts["time_unit"]) == (False, None)


def test_the_raw_folder_holds_the_file_byte_for_byte(folder):
    set_params(folder, path=str(folder / "mine.csv"))
    download.main()
    assert (folder / "data/raw/interactions.csv").read_bytes() == CSV.encode()
    source = (folder / "data/raw/source.json").read_text()
    assert json.loads(source)["origin"] == "mine.csv"
    assert str(folder) not in source


def test_the_same_bytes_every_time(folder):
    set_params(folder, name="synthetic")
    found = []
    for _ in range(2):
        download.main()
        preprocess.main()
        found.append({p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()})
    assert found[0] == found[1]
    assert sum(path.suffix == ".npy" for path in found[0]) == 4


def test_a_folder_and_an_item_file_reach_the_catalogue(folder):
    """From parts and an item file to what split makes of it."""
    (folder / "parts/day=1").mkdir(parents=True)
    header, *lines = CSV.splitlines(keepends=True)
    (folder / "parts/_SUCCESS").touch()
    (folder / "parts/day=1/a.csv").write_text(header + "".join(lines[:3]))
    (folder / "parts/b.csv.gz").write_bytes(gzip.compress((header + "".join(lines[3:])).encode()))
    (folder / "items.tsv").write_text("item\tname\ttags\ntea\tGreen tea\thot,cheap\nx\tX\ty\n")
    columns = DATA["items"]["columns"] | {"title": "name", "genres": "tags"}
    items = DATA["items"] | {"path": "items.tsv", "columns": columns, "genre_separator": ","}
    set_params(folder, path="parts", items=items)
    output = succeed(folder, "download", "preprocess")
    assert "interactions/b.csv.gz, interactions/day=1/a.csv, items.tsv from parts, in" in output
    assert "items: 1 with a row in the item file, 1 without; 1 rows of it are of items" in output
    written = folder / "data/interactions"
    assert read(folder)["user"] == [1, 1, 1, 2, 2]
    assert (written / "items.csv").read_text() == (
        'id,raw_id,title,genres\n1,"bread, rye",,\n2,tea,Green tea,hot|cheap\n'
    )
    features = features_of(Catalogue.read(written / "items.csv"), 2)
    assert features.names == ("cheap", "hot")
    assert features.genres.tolist() == [1, 0]
    metrics = json.loads((folder / "metrics/data.json").read_text())
    assert metrics["items"] == {"described": 1, "not_described": 1, "not_in_interactions": 1}
    assert metrics["checks"]["largest_user"] == 0.6


def test_low_ratings_go_before_repetitions(folder):
    set_params(folder, min_rating=3, filter="k-core")
    download.main()
    preprocess.main()
    # Of ann's two teas at 300 the first is rated 2: it goes, so the second is no repetition.
    assert read(folder) == {
        "user": [1, 1, 1, 2, 2],
        "item": [1, 2, 2, 2, 1],
        "timestamp": [T + 100, T + 300, T + 400, T + 200, T + 300],
        "rating": [5.0, 3.0, 3.0, 4.0, 5.0],
    }
    metrics = json.loads((folder / "metrics/data.json").read_text())
    assert list(metrics["dropped"].values()) == [0, 0, 0, 1, 0, 1]


def test_scripts_end_with_one_line_and_exit_code_1(folder):
    set_params(folder, name="ml-100")
    assert "unknown dataset" in fail(folder, "download")
    set_params(folder, min_interactions=9)
    succeed(folder, "download")
    assert "0 interactions are left" in fail(folder, "preprocess")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "ml-100"}, "data.name = 'ml-100': unknown dataset, expected one of ml-100k, ml"),
        ({"path": "none.csv"}, "data.path = 'none.csv': there is no such file"),
        ({"path": "folder.csv"}, "data.path = 'folder.csv' is a folder without files"),
        ({"path": "mine.csv "}, "data.path = 'mine.csv ': there is no such file"),
        ({"items": DATA["items"] | {"path": "none.csv"}}, "data.items.path = 'none.csv': there is"),
        ({"encoding": "utf-9"}, "data.encoding = 'utf-9': should be auto, or such as utf-8, lat"),
        ({"encoding": "rot13"}, "data.encoding = 'rot13': should be auto, or such as utf-8, lat"),
        ({"delimiter": ""}, "data.delimiter = '': should be auto, comma, semicolon, tab, pipe, sp"),
        ({"time_format": "dd.mm"}, "data.time_format = 'dd.mm': should be one of auto, day_first,"),
        ({"missing_time": "keep"}, "data.missing_time = 'keep': "),
        (
            {"columns": DATA["columns"] | {"user": 0}},
            "should be names or positions, not both: 0,",
        ),
        ({"columns": DATA["columns"] | {"order": []}}, "data.columns.order = []: should be null,"),
        (
            {"columns": DATA["columns"] | {"order": ["a", None]}},
            "data.columns.order = ['a', None]",
        ),
        ({"columns": DATA["columns"] | {"order": "item"}}, "a column is named twice: 'user', 'i"),
        ({"quoted": "no"}, "data.quoted = 'no': "),
        ({"path": "empty.csv"}, "data.path = 'empty.csv': the file is empty"),
        ({"min_interactions": 0}, "data.min_interactions = 0: "),
        ({"filter": "twice"}, "data.filter = 'twice': "),
        ({"time_unit": "h"}, "data.time_unit = 'h': "),
        (
            {"synthetic": DATA["synthetic"] | {"num_interactions": 5}},
            "num_interactions = 5 is less",
        ),
        (
            {"columns": DATA["columns"] | {"item": "user"}},
            "a column is named twice: 'user', 'u",
        ),
    ],
)
def test_wrong_params_and_paths(folder, changes, message):
    (folder / "empty.csv").touch()
    (folder / "folder.csv").mkdir()
    set_params(folder, **changes)
    assert message in refuse(folder, download.main)


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (CSV + f"ann,tea,five,{T}\n", {}, "mine.csv, line 9: 'rating' is 'five'"),
        (CSV + f'ann,"tea" hot,5,{T}\n', {}, "line 9: text follows a closing quote"),
        (CSV, {"time_unit": "ms"}, "with data.time_unit: s it would be 2001-09-09"),
        (CSV, {"columns": DATA["columns"] | {"item": "song"}}, "no column 'song'; its columns are"),
        (
            CSV,
            {"min_interactions": 9},
            "0 interactions are left of 7 interactions of 3 users and 3",
        ),
        (CSV, {"min_rating": 9.5}, "dropped 7 rated under data.min_rating = 9.5, 0 duplicates"),
        (
            CSV,
            {"min_rating": 1.0, "columns": DATA["columns"] | {"rating": None}},
            "data.min_rating = 1, but the data has no ratings",
        ),
    ],
)
def test_wrong_content(folder, content, changes, message):
    (folder / "mine.csv").write_text(content)
    set_params(folder, **changes)
    download.main()
    assert message in refuse(folder, preprocess.main)


def test_preprocess_wants_the_raw_data_of_this_dataset(folder):
    assert "data/raw/source.json not found" in refuse(folder, preprocess.main)
    download.main()
    set_params(folder, name="synthetic")
    message = refuse(folder, preprocess.main)
    assert "data/raw holds local, but data.name is synthetic" in message


def limit_file_size() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))


def test_a_full_disk_leaves_nothing(folder):
    (folder / "mine.csv").write_text(CSV + "".join(f"u{n},tea,1,{T + n}\n" for n in range(500)))
    for name in ("local", "synthetic"):
        set_params(folder, name=name)
        message = fail(folder, "download", limit_file_size)
        assert message.startswith("cannot write or read a file: File too large")
    succeed(folder, "download")
    message = fail(folder, "preprocess", limit_file_size)
    assert message.startswith("cannot write or read a file: No space left on device")


def test_a_killed_download_leaves_nothing_under_the_final_name(folder):
    size = {"num_users": 10**6, "num_items": 1000, "num_interactions": 10**8, "seed": 1}
    set_params(folder, name="synthetic", synthetic=size)
    process = subprocess.Popen([sys.executable, str(STAGES / "download.py")], cwd=folder)
    deadline = time.monotonic() + 30
    while not list(folder.glob("data/.raw.*.tmp/*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert all(path.name.startswith(".raw.") for path in (folder / "data").iterdir())
    set_params(folder)
    download.main()
    assert {path.name for path in (folder / "data").iterdir()} == {"raw", ".raw.lock"}


@pytest.mark.parametrize("stage", ["download", "preprocess"])
def test_help_says_what_is_read_and_written(stage):
    command = [sys.executable, str(STAGES / f"{stage}.py"), "--help"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Reads " in output
    assert "Writes " in output


@pytest.mark.skipif(not AUTHORS_FILE.is_file(), reason="needs ml-1m.txt in SASREC_MIRROR")
def test_the_authors_file_is_taken_as_it_is(folder):
    set_params(folder, name="ml-1m-sasrec", min_interactions=1000)
    output = succeed(folder, "download", "preprocess")
    assert "ml-1m-sasrec: 999,611 interactions → 999,611 of 6,040 users and 3,416 items" in output
    user, item = np.loadtxt(AUTHORS_FILE, dtype=np.int32, unpack=True)
    written = folder / "data/interactions"
    assert np.array_equal(np.load(written / "user.npy"), user)
    assert np.array_equal(np.load(written / "item.npy"), item)
    assert np.array_equal(np.load(written / "timestamp.npy"), np.arange(1, len(user) + 1))
    assert str(AUTHORS_FILE.parent) not in (folder / "data/raw/source.json").read_text()
    if not all((AUTHORS_FILE.parent / name).is_file() for name in (FILMS, MAPPING)):
        return
    films = Catalogue.read(written / "items.csv").describe(range(1, 3417))
    assert list(films) == ["raw_id", "title", "year", "genres"]
    assert (films != "").all(axis=None)
    assert films.title[0] == "Raiders of the Lost Ark"
    assert set(films.year.str.len()) == {4}
    assert films.genres.str.split("|").explode().nunique() == 18
