"""The script recommend.py, and the class behind it: what they return, and what they refuse."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from places import STAGES
from toy_stages import NUM_ITEMS, NUM_USERS, refuse, tree
from toys import toy_batch

import recommend
from sasrec.base.errors import UserError
from sasrec.model.checkpoint import load_model
from sasrec.recommending import best, writing
from sasrec.recommending import recommender as module
from sasrec.recommending.recommender import Recommender

USER = 6  # whose last item is new to the user
UNKNOWN_USER = r"'42' is not among the raw ids of data/interactions/users\.csv \(u1, u2, u3, …\)"


def histories(folder):
    users, items = (np.load(folder / f"data/interactions/{name}.npy") for name in ("user", "item"))
    return {user: items[users == user].tolist() for user in range(1, NUM_USERS + 1)}


def expected(folder, history, k=10, *, filter_seen=True, left_out=()):
    """Raw ids by the model's scores, one history and one item at a time."""
    model = load_model(folder / "data/model", torch.device("cpu"))
    with torch.no_grad():
        state = model(toy_batch([history[-model.config.max_length :]]))[-1]
        scores = {item: float(state @ model.item_embedding[item]) for item in range(1, 18)}
    left_out = {*left_out, *(history if filter_seen else ())}
    ranked = sorted(scores.keys() - left_out, key=lambda item: -scores[item])
    return [f"i{item}" for item in ranked[:k]]


@pytest.fixture
def ask(monkeypatch, capsys):
    """Runs the script; gives what it printed."""

    def ask(*arguments):
        monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments])
        capsys.readouterr()
        recommend.main()
        return capsys.readouterr()

    return ask


@pytest.fixture
def items_of(ask):
    """Runs the script for one list; gives raw ids, best first."""

    def items_of(*arguments):
        header, *lines = ask(*arguments).out.splitlines()
        assert header.split() == ["rank", "item", "title", "score"]
        rows = [line.split() for line in lines]
        assert [row[0] for row in rows] == [str(rank + 1) for rank in range(len(rows))]
        return [row[1] for row in rows]

    return items_of


def edit_description(folder, **changes):
    path = folder / "data/model/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rename_items(folder, **names):
    """Other raw ids or titles in items.csv: `i3="-5"` or `Title_3="…"`."""
    path = folder / "data/interactions/items.csv"
    table = pd.read_csv(path, dtype=str)
    path.write_text(
        table.replace({old.replace("_", " "): new for old, new in names.items()}).to_csv(
            index=False
        )
    )


def forget(folder, user):
    """Nothing lies before the test target of `user`."""
    path = folder / "data/split/test"
    offsets, items = np.load(path / "offsets.npy"), np.load(path / "items.npy")
    begin, end = offsets[user : user + 2]
    np.save(path / "items.npy", np.delete(items, np.s_[begin:end]))
    offsets[user + 1 :] -= end - begin
    np.save(path / "offsets.npy", offsets)


def popular(folder, k=10):
    items = np.load(folder / "data/split/train/items.npy").tolist()
    return [f"i{item}" for item in sorted(range(1, 18), key=lambda item: -items.count(item))[:k]]


def test_everything_that_is_known_of_each_user_counts(folder, monkeypatch, ask):
    """The test target too: it is never recommended again. One table holds what users get singly."""
    monkeypatch.setattr(best, "MAX_USERS", 11)
    ask("--all-users", "--output", "recs.csv", "-k", str(NUM_ITEMS))
    table = pd.read_csv("recs.csv")
    assert list(table) == ["user", "rank", "item", "title", "score", "by"]
    assert (table["title"] == "Title " + table["item"].str[1:]).all()
    assert set(table["by"]) == {"model"}
    found = dict(iter(table.groupby("user", sort=False)))
    assert list(found) == [f"u{user}" for user in range(1, NUM_USERS + 1)]
    for user, history in histories(folder).items():
        rows = found[f"u{user}"]
        assert rows["item"].tolist() == expected(folder, history, NUM_ITEMS)
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))


def test_who_has_nothing_left_is_counted(folder, ask):
    lacking = [user for user, history in histories(folder).items() if 1 in history]
    assert lacking
    _, err = ask("--all-users", "--only", "i1", "--output", "recs.csv")
    assert f"nothing is left to recommend to {len(lacking)} of {NUM_USERS} users" in err
    named = {f"u{user}" for user in lacking}
    assert not named & set(pd.read_csv("recs.csv")["user"])


def test_one_user_and_what_lies_before_the_test_target(folder, items_of):
    *before, target = histories(folder)[USER]
    assert items_of("--user", f"u{USER}") == expected(folder, [*before, target])
    found = items_of("--user", f"u{USER}", "--before-test", "-k", "17")
    assert found == expected(folder, before, 17)
    assert f"i{target}" in found


@pytest.mark.parametrize(
    "arguments",
    [
        ("--items=-5,i11,i5",),
        ("--item=-5", "--item", "i11", "--item", "i5"),
        ("--title", "Title 3", "--item", "i11", "--title", "tITLE 5"),
        ("--item=-5", "--items", "i11,i5"),
    ],
)
def test_named_items_are_a_history(folder, items_of, arguments):
    order = expected(folder, [3, 11, 5], 14)
    assert order != expected(folder, [5, 11, 3], 14), "a case in which the order matters"
    rename_items(folder, i3="-5")
    assert items_of(*arguments, "-k", "14") == order


def test_an_id_with_a_comma_is_named_alone(folder, items_of):
    rename_items(folder, i3="a,b", i9="c,d")
    found = items_of("--item", "a,b", "--exclude", "c,d", "--exclude", "i1,i2", "-k", "17")
    assert found == expected(folder, [3], 17, left_out=(9, 1, 2))


def test_items_repeat_where_asked_or_where_validation_ranked_them(folder, items_of):
    every = expected(folder, [3, 11], NUM_ITEMS, filter_seen=False)
    assert len(every) == NUM_ITEMS
    arguments = ("--items", "i3,i11", "-k", str(NUM_ITEMS))
    assert items_of(*arguments, "--include-seen") == every
    edit_description(folder, filter_seen=False)
    assert items_of(*arguments) == every


def test_items_to_choose_from_and_to_leave_out(folder, ask):
    (folder / "stock.txt").write_bytes("\ufeffi1\r\ni2\r\n\r\ni4\r\ni99\r\ni7\r\n".encode())
    out, err = ask(
        "--item", "i2", "--only", "stock.txt", "--only", "i8", "--exclude", "i4,x", "--json"
    )
    others = set(range(1, 18)) - {1, 2, 7, 8}
    (line,) = out.splitlines()
    found = [row["item"] for row in json.loads(line)["items"]]
    assert found == expected(folder, [2], left_out=others)
    assert err.splitlines() == [
        "Mind: 1 of the 6 items of --only are not in the catalogue and do not count: i99",
        "Mind: 1 of the 2 items of --exclude are not in the catalogue and do not count: x",
    ]


def test_who_has_no_history_gets_what_is_popular(folder, ask, items_of):
    forget(folder, 5)
    (folder / "some.txt").write_text("u7\nnobody\nu5\n")
    out, err = ask("--users", "some.txt", "--before-test", "--popular", "-k", "3")
    rows = [line.split(",") for line in out.splitlines()[1:]]
    assert [(row[0], row[-1]) for row in rows[::3]] == [
        *(("u7", "model"), ("nobody", "popularity"), ("u5", "popularity"))
    ]
    assert [row[2] for row in rows[3:]] == popular(folder, 3) * 2
    assert err.startswith("2 users have no history: the items that are most popular in training")
    assert items_of("--user", "u5", "--before-test") == popular(folder)
    assert items_of("--user", "nobody", "--popular") == popular(folder)
    assert items_of("--popular") == popular(folder)
    counts = np.load("data/split/train/items.npy").tolist()
    table = Recommender.load().recommend([], k=2)
    assert table["score"].tolist() == [counts.count(int(raw[1:])) for raw in table["item"]]


def test_in_python_as_by_the_script(folder, monkeypatch, ask):
    monkeypatch.chdir(folder.parent)
    recommender = Recommender.load(folder / "data/model")
    monkeypatch.chdir(folder)
    table = recommender.recommend(history=["i3", "i11"], k=4, why=True)
    assert list(table) == ["rank", "item", "title", "score", "why"]
    assert table["item"].tolist() == expected(folder, [3, 11], 4)
    record = json.loads(ask("--items", "i3,i11", "-k", "4", "--why", "--json").out)
    assert [row["item"] for row in record["items"]] == table["item"].tolist()
    assert [row["why"] for row in record["items"]] == table["why"].tolist()
    assert any(table["why"])
    whys = [one for row in table["why"] for one in row]
    assert {(one["item"], one["title"]) for one in whys} <= {("i3", "Title 3"), ("i11", "Title 11")}
    assert all(one["lost"] > 0 for one in whys)
    shown = ask("--items", "i3,i11", "-k", "4", "--why").out
    assert shown.count("because of Title ") == sum(map(bool, table["why"]))
    both = pd.concat(recommender.recommend_all(["u6", "u2"], k=3, only=["i1", "i2", "i3", "zzz"]))
    assert list(dict.fromkeys(both["user"])) == ["u6", "u2"]
    assert set(both["item"]) <= {"i1", "i2", "i3"}


def test_why_in_every_format(folder, monkeypatch, ask):
    monkeypatch.setattr(module, "EXPLAINED", 1)
    (folder / "some.txt").write_text("u1\nu2\n")
    for suffix in writing.WRITERS:
        ask("--users", "some.txt", "--why", "--output", f"recs{suffix}", "-k", "2")
    records = [json.loads(line) for line in (folder / "recs.jsonl").read_text().splitlines()]
    assert [record["user"] for record in records] == ["u1", "u2"]
    whys = [item["why"] for record in records for item in record["items"]]
    assert pd.read_csv("recs.csv")["why"].map(json.loads).tolist() == whys
    parquet = pd.read_parquet("recs.parquet")["why"]
    assert [[dict(one) for one in row] for row in parquet] == whys


def test_an_interrupted_run_leaves_the_old_file(folder, monkeypatch, ask):
    (folder / "recs.csv").write_bytes(b"old")
    before, plain = tree(folder), pd.DataFrame.to_csv
    monkeypatch.setattr(best, "MAX_USERS", 3)

    def to_csv(table, *arguments, header, **options):
        plain(table, *arguments, header=header, **options)
        if not header:
            raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_csv", to_csv)
    with pytest.raises(KeyboardInterrupt):
        ask("--all-users", "--output", "recs.csv")
    assert tree(folder) == before


def other_data(folder):
    """The same sizes, but item 1 and 2 have changed places."""
    path = folder / "data/interactions/dataset.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"name": "other", "fingerprint": "f" * 16}))


def other_split(folder):
    for part in ("test", "train"):
        path = folder / f"data/split/{part}/dataset.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"split": "f" * 16}))


def without_a_model(folder):
    (folder / "data/model/model.json").unlink()


def without_titles(folder):
    pd.read_csv("data/interactions/items.csv")[["id", "raw_id"]].to_csv(
        "data/interactions/items.csv", index=False
    )


def with_files(folder):
    (folder / "latin.txt").write_bytes(b"u\xe9\n")
    (folder / "empty.txt").write_bytes(b"\n")
    (folder / "unknown.txt").write_text("u1\n42\nu2\n43\n44\n")
    (folder / "folder.csv").mkdir()


REFUSED = {
    "--user 42": rf"{UNKNOWN_USER}: correct it, or ask for .* \(--popular",
    "--users unknown.txt": rf"{UNKNOWN_USER}, nor are 2 more: correct it",
    "--users none.txt": "none.txt not found: expected a file of raw ids, one a line",
    "--users latin.txt": "latin.txt is not a text in UTF-8",
    "--users empty.txt": "empty.txt holds no id",
    "--items i1,i18": r"'i18' is not among the raw ids of .*items\.csv \(i1, i2.*leave it out",
    "--items=": "'' is not among the raw ids",
    "--title Title": r"of 17 items: 'Title 1' \(id i1\), .* and 14 more; write it in full",
    "--title Titel-12": "no item of .* has the title 'Titel-12'; the nearest are 'Title 12', ",
    "--item i1 --only none.txt": "'none.txt' is not among the raw ids of .*, or a file of them",
    "--item i1 --only i1": "nothing is left to recommend: .*--include-seen",
    "--user u1 --output folder.csv": "folder.csv is a folder, expected a file",
    "--user u1 --output recs.xlsx": r"recs.xlsx: expected a name that ends in \.csv or",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_it_refuses(folder, monkeypatch, arguments):
    with_files(folder)
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments.split()])
    refuse(recommend.main, folder, REFUSED[arguments])


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (other_data, "--user u1", "data/model is of other data than data/interactions: toy"),
        (other_data, "--items i1", "and here other with 29 users.*run `dvc repro`"),
        (other_split, "--user u5 --before-test", "of other data than data/split/test"),
        (other_split, "--popular", "of other data than data/split/train.*run `dvc repro`"),
        (without_titles, "--title x", "items.csv has no titles: name items by their ids"),
        (without_a_model, "--user u1", "not found: run `python stages/train.py` first"),
    ],
)
def test_what_does_not_belong_together(folder, monkeypatch, spoil, arguments, message):
    spoil(folder)
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments.split()])
    refuse(recommend.main, folder, message)


def test_another_split_does_not_matter_to_the_whole_history(folder, items_of):
    other_split(folder)
    assert items_of("--user", "u5")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "name --user, --users, --all-users, or a history by"),
        ("--user 1 -k 0", "-k 0: expected 1 or more"),
        ("--items 1 --before-test", "--before-test goes with"),
        ("--user 1 --all-users", "name one of"),
        ("--item 1 --popular", "--popular goes with"),
        ("--all-users --json --output a.jsonl", "--json prints"),
        ("--item -abc", "one that begins with a dash is written with ="),
    ],
)
def test_wrong_options(monkeypatch, capsys, arguments, message):
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments.split()])
    with pytest.raises(SystemExit) as caught:
        recommend.main()
    assert caught.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("recommend.py: error: ")
    assert message in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"history": "i3"}, "history = 'i3': expected a list of raw ids"),
        ({"history": ["i3"], "k": 0}, "k = 0: expected 1 or more"),
        ({"history": ["i3"], "only": []}, "no raw id of .*items.csv is named"),
    ],
)
def test_what_the_class_refuses(folder, arguments, message):
    with pytest.raises(UserError, match=message):
        Recommender.load().recommend(**arguments)


def test_who_stops_reading_ends_it_without_a_word(folder):
    finished = subprocess.run(
        f"{sys.executable} {STAGES}/recommend.py --all-users -k 17 | head -1",
        shell=True, cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.stderr == ""
    assert finished.stdout == "user,rank,item,title,score,by\n"
