"""Stage scripts: what each says of itself, and what download and split write."""

import json

import numpy as np
import toy_data_stages
from toy_stages import NUM_USERS, run, set_params, tree

import download
import split
from sasrec.sources.source_facts import SourceFacts


def test_scripts_print_their_docstring(tmp_path):
    finished = run(tmp_path, "split", "--help")
    assert finished.returncode == 0
    assert split.__doc__ in finished.stdout


def test_what_download_writes(here, monkeypatch, capsys):
    toy_data_stages.set_params(here, name="ml-1m", path="other.csv")
    told = {"dataset": "toy", "origin": "a shop", "sha256": {"x.csv": "00", "y.csv": "11"}}

    def collect(params, folder):
        assert (params.name, params.path) == ("ml-1m", "other.csv")
        (folder / "x.csv").write_text("x")
        return SourceFacts(**told)

    monkeypatch.setattr(download, "collect", collect)
    download.main()
    unknown = {"licence": None, "citation": None}
    assert json.loads((here / "data/raw/source.json").read_text()) == told | unknown
    assert sorted(path.name for path in (here / "data/raw").iterdir()) == ["source.json", "x.csv"]
    assert capsys.readouterr().out == "ml-1m: x.csv, y.csv from a shop, in data/raw/\n"


def test_split_writes_what_it_says(pipeline):
    folder, printed = pipeline
    users = np.load(folder / "data/interactions/user.npy")
    items = np.load(folder / "data/interactions/item.npy")
    histories = {user: items[users == user].tolist() for user in range(1, NUM_USERS + 1)}
    offsets, train_items, valid_users, valid_items, test_users, test_items = (
        np.load(folder / "data/split" / name)
        for name in (
            "train/offsets.npy",
            "train/items.npy",
            "valid/target_users.npy",
            "valid/target_items.npy",
            "test/target_users.npy",
            "test/target_items.npy",
        )
    )
    assert valid_users.tolist() == test_users.tolist()
    together = {user: train_items[offsets[user] : offsets[user + 1]].tolist() for user in histories}
    for user, second, last in zip(valid_users, valid_items, test_items, strict=True):
        together[user] += [second, last]
    assert together == histories
    offsets, known = (
        np.load(folder / f"data/split/test/{name}.npy") for name in ("offsets", "items")
    )
    tested = set(test_users.tolist())
    for user, history in histories.items():
        expected = history[:-1] if user in tested else history
        assert known[offsets[user] : offsets[user + 1]].tolist() == expected
    for part in ("train", "test"):
        copy = json.loads((folder / f"data/split/{part}/dataset.json").read_text())
        assert len(copy.pop("split")) == 16
        assert copy == json.loads((folder / "data/interactions/dataset.json").read_text())
    for part in ("valid", "test"):
        for user, row in zip(
            valid_users, np.load(folder / f"data/split/{part}/candidates.npy"), strict=True
        ):
            assert len(set(row)) == 5
            assert not set(row) & set(histories[user])
    assert (
        f"{len(train_items)} interactions to train on, {len(valid_users)} users" in printed["split"]
    )


def test_split_is_the_same_twice_and_follows_its_seed(folder):
    before = tree(folder / "data/split")
    split.main()
    assert tree(folder / "data/split") == before
    set_params(folder, split__seed=2)
    split.main()
    after = tree(folder / "data/split")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"valid/candidates.npy", "test/candidates.npy"}


def test_split_by_time(folder):
    set_params(folder, split__strategy="time", split__valid_fraction=0.2)
    split.main()
    sizes = [len(np.load(f"data/split/{part}/items.npy")) for part in ("train", "test")]
    total = len(np.load("data/interactions/item.npy"))
    # Times are shared by many users, so that a cut falls a little early.
    assert 0.5 * total < sizes[0] <= 0.7 * total < sizes[1] <= 0.9 * total
