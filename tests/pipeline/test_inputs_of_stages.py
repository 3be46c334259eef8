"""The stages with models that read more than items: what they read, and what they refuse."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_stages import NUM_ITEMS, NUM_USERS, refuse, set_params, write_interactions

import evaluate
import recommend
import split
import train
from sasrec.batching.batches import SequenceReader
from sasrec.data.catalogue import Details, write_catalogue
from sasrec.data.interactions import read_interactions
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.model.checkpoint import load_model
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores

CPU = torch.device("cpu")
GENRES = ("Action", "Comedy|Drama", "Drama", "")
EVERYTHING = {
    "model__inputs": ["item", "rating", "time_gap", "genres"],
    "model__attention": "decoupled",
    "objective__rating_weight": 0.5,
    "train__new_items": "content",
    "train__epochs": 2,
}


def tell(here, **changes):
    path = here / "data/interactions/dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def told(here):
    """A folder after split, with ratings of half stars, some unknown, and genres and years."""
    folder = here / "data/interactions"
    write_interactions(folder)
    ratings = np.arange(len(np.load(folder / "item.npy")), dtype=np.float32) % 11 / 2
    ratings[::5] = np.nan
    np.save(folder / "rating.npy", ratings)
    rows = {
        f"i{number}": (f"Title {number}", str(1980 + number), GENRES[number % 4])
        for number in range(1, NUM_ITEMS + 1)
    }
    write_catalogue(folder / "items.csv", list(rows), Details(("title", "year", "genres"), rows))
    tell(here, has_ratings=True)
    set_params(here, **EVERYTHING)
    split.main()
    return here


def ranks_of(folder, model, change=lambda columns: columns):
    """Of the test targets, by histories whose columns are changed."""
    sizes = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}
    path, columns = folder / "data/split/test", ("rating", "timestamp")
    histories = Sequences.load(path, **sizes, columns=columns)
    histories = replace(histories, columns=change(histories.columns))
    reader = SequenceReader(histories, 4, CPU, layout="grouped", columns=columns)
    return rank_targets(ModelScores(model, reader), Targets.load(path, **sizes)).full


def recommended(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["recommend.py", *arguments])
    capsys.readouterr()
    recommend.main()
    out, err = capsys.readouterr()
    return [float(line.split()[-1]) for line in out.splitlines()[1:]], err


def test_everything_at_once(told, monkeypatch, capsys):
    train.main()
    printed = capsys.readouterr().out
    assert "ratings are not known, and not predicted" in printed
    known = json.loads((told / "data/model/model.json").read_text())["known"]
    ratings = np.load(told / "data/split/train/ratings.npy")
    assert known["rating_levels"] == np.unique(ratings[~np.isnan(ratings)]).tolist()
    assert (known["genres"], known["most_genres"]) == (["Action", "Comedy", "Drama"], 2)

    evaluate.main()
    ranks = np.genfromtxt(told / "data/evaluation/ranks.csv", delimiter=",", names=True)
    model = load_model(told / "data/model", CPU)
    np.testing.assert_allclose(ranks["full"], ranks_of(told, model))
    other = ranks_of(told, model, lambda columns: columns | {"rating": columns["rating"] * 0 + 1})
    assert (ranks["full"] != other).any()

    history = read_interactions(told / "data/interactions").sequences
    user = int(history.lengths.argmax())
    items = ",".join(f"i{item}" for item in history.of(user))
    by_user, _ = recommended(monkeypatch, capsys, "--user", f"u{user}")
    by_items, err = recommended(monkeypatch, capsys, "--items", items)
    assert len(by_user) == len(by_items)
    assert by_user != by_items  # of which less is known
    assert "Mind: the rating of these items is not known to the model" in err
    before, _ = recommended(monkeypatch, capsys, "--user", f"u{user}", "--before-test")
    assert before != by_user


LACKS = {
    "ratings": (
        {"model__inputs": ["item", "rating"]},
        "model.inputs with rating needs ratings, which the dataset toy does not have",
    ),
    "ratings to predict": (
        {"objective__rating_weight": 0.5},
        "objective.rating_weight = 0.5 needs ratings, which the dataset toy does not have",
    ),
    "genres": (
        {"model__inputs": ["genres_gated", "item"]},
        "model.inputs with genres_gated needs genres of items, of which the training data of toy "
        "has none",
    ),
    "genres for attention": (
        {"model__attention": "decoupled"},
        "model.attention = 'decoupled' needs genres of items, of which",
    ),
}


@pytest.mark.parametrize(("changes", "message"), LACKS.values(), ids=LACKS)
def test_what_the_data_lacks_is_refused(folder, changes, message):
    set_params(folder, **changes)
    refuse(train.main, folder, message)


def test_ratings_of_which_none_is_known_are_refused(told):
    folder = told / "data/interactions"
    np.save(folder / "rating.npy", np.load(folder / "rating.npy") * np.float32(np.nan))
    split.main()
    set_params(told, model__inputs=["item", "rating"])
    refuse(train.main, told, "needs ratings, of which the training data of toy has none")
