"""The script recommend.py: whose history it continues, what it returns, what it refuses."""

import json
import sys

import numpy as np
import pytest
import torch
from toy_stages import NUM_ITEMS, NUM_USERS, run, sentence_of, tree

import recommend
from sasrec.base.errors import UserError
from sasrec.model.checkpoint import load_model
from sasrec.ranking.recommending import History
from sasrec.ranking.recommending import recommend as best_after

USER = 6  # whose last item is new to the user


def histories(folder):
    users, items = (np.load(folder / f"data/interactions/{name}.npy") for name in ("user", "item"))
    return {user: items[users == user].tolist() for user in range(1, NUM_USERS + 1)}


def printed(monkeypatch, capsys, *arguments):
    """Raw ids and titles, best first."""
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments])
    recommend.main()
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["raw_id", "title", "score"]
    return [line.split()[0] for line in lines]


def expected(folder, history, k=10, **options):
    model = load_model(folder / "data/model", torch.device("cpu"))
    items, _ = best_after(model, History.of_items(history, ()), k, **options)
    return [f"i{item}" for item in items]


def test_everything_that_is_known_of_a_user_counts(folder, monkeypatch, capsys):
    """The test target too: it is never recommended again."""
    for user, history in histories(folder).items():
        found = printed(monkeypatch, capsys, "--user", f"u{user}", "-k", str(NUM_ITEMS))
        assert found == expected(folder, history, NUM_ITEMS)
        assert not {f"i{item}" for item in history} & set(found)


def test_before_the_test_target_as_evaluate_ranks(folder, monkeypatch, capsys):
    *before, target = histories(folder)[USER]
    assert target not in before
    found = printed(monkeypatch, capsys, "--user", f"u{USER}", "--before-test", "-k", "17")
    assert found == expected(folder, before, 17)
    assert f"i{target}" in found


def test_named_items_are_a_history(folder, monkeypatch, capsys):
    found = printed(monkeypatch, capsys, "--items", "i3,i11,i5", "-k", "14")
    assert found == expected(folder, [3, 11, 5], 14)
    assert found != expected(folder, [5, 11, 3], 14), "a case in which the order matters"


def edit_description(folder, **changes):
    path = folder / "data/model/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_items_repeat_where_validation_ranked_them(folder, monkeypatch, capsys):
    edit_description(folder, filter_seen=False)
    found = printed(monkeypatch, capsys, "--items", "i3,i11", "-k", str(NUM_ITEMS))
    assert sorted(found) == sorted(f"i{item}" for item in range(1, NUM_ITEMS + 1))
    assert found == expected(folder, [3, 11], NUM_ITEMS, filter_seen=False)


def test_the_script_prints_titles_and_hides_what_moves_a_terminal(folder):
    path = folder / "data/interactions/items.csv"
    path.write_bytes(path.read_bytes().replace(b"Title 9\n", "É\x1b[2J\n".encode()))
    finished = run(folder, "recommend", "--items", "i1", "-k", "17")
    assert finished.returncode == 0
    assert finished.stderr == "blocks, inputs, norms, last states: plain PyTorch\n"
    assert "É\\x1b[2J" in finished.stdout
    assert "Title 8" in finished.stdout


def other_data(folder):
    """The same sizes, but item 1 and 2 have changed places."""
    path = folder / "data/interactions/dataset.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"name": "other", "fingerprint": "f" * 16}))


def other_split(folder):
    path = folder / "data/split/test/dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"split": "f" * 16}))


@pytest.mark.parametrize(
    ("arguments", "spoil", "message"),
    [
        (("--user", "42"), None, r"'42' is not among the raw ids of data/interactions/users\.csv"),
        (("--items", "i1,i18"), None, r"'i18' is not among the raw ids of .*items\.csv \(i1, i2"),
        (("--items", ""), None, "'' is not among the raw ids"),
        (("--user", "u1"), other_data, "data/model is of other data than data/interactions: toy"),
        (("--items", "i1"), other_data, "and here other with 29 users.*run `dvc repro`"),
        (
            ("--user", "u5", "--before-test"),
            other_split,
            "data/model is of other data than data/split/test",
        ),
    ],
)
def test_what_it_refuses(folder, monkeypatch, arguments, spoil, message):
    if spoil:
        spoil(folder)
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments])
    before = tree(folder)
    with pytest.raises(UserError, match=message):
        recommend.main()
    assert tree(folder) == before


def test_another_split_does_not_matter_to_the_whole_history(folder, monkeypatch, capsys):
    other_split(folder)
    assert printed(monkeypatch, capsys, "--user", "u5")


def test_without_a_model_it_says_what_to_run(tmp_path):
    line = sentence_of(run(tmp_path, "recommend", "--user", "u1"), "recommend")
    assert "data/model/model.json not found: run `python stages/train.py` first" in line


@pytest.mark.parametrize(
    "arguments", [[], ["--user", "1", "-k", "0"], ["--items", "1", "--before-test"]]
)
def test_wrong_options(monkeypatch, capsys, arguments):
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments])
    with pytest.raises(SystemExit) as caught:
        recommend.main()
    assert caught.value.code == 2
    assert "recommend.py: error: " in capsys.readouterr().err
