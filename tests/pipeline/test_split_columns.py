"""The stage split with ratings, times, genres and years, and without."""

import json

import numpy as np
import pytest
from toy_stages import NUM_ITEMS, set_params, tree, write_interactions

import split
from sasrec.data.catalogue import Details, write_catalogue
from sasrec.data.features import read_features
from sasrec.data.sequences import Sequences
from sasrec.preparing.parsing import read_recbole

COLUMNS = {"ratings.npy", "timestamps.npy"}
FEATURES = {
    f"features/{name}" for name in ("genres.json", "genres.npy", "offsets.npy", "years.npy")
}
FILMS = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
    "i1\tFilm\t1941\tDrama Film-Noir\ni2\tunkonwn\tunkonwn\tunknown\ni3\tOther\t1995\tDrama\n"
)


def tell(here, **changes):
    path = here / "data/interactions/dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def ml_100k_details(folder):
    """Of three items, read from a file as RecBole writes it."""
    folder.mkdir()
    (folder / "ml-100k.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu1\ti1\t3\t881250949\n"
    )
    (folder / "ml-100k.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\nu1\t24\tM\twriter\n"
    )
    (folder / "ml-100k.item").write_text(FILMS)
    return read_recbole(folder).items


@pytest.fixture
def interactions(here):
    """Rated 2, 4, 6, ... half stars, NaN every fifth; three of the items are films of ml-100k."""
    folder = here / "data/interactions"
    write_interactions(folder)
    items = np.load(folder / "item.npy")
    ratings = np.arange(len(items), dtype=np.float32) % 11 / 2
    ratings[::5] = np.nan
    np.save(folder / "rating.npy", ratings)
    raw_ids = [f"i{number}" for number in range(1, NUM_ITEMS + 1)]
    write_catalogue(folder / "items.csv", raw_ids, ml_100k_details(here / "raw"))
    tell(here, has_ratings=True)
    set_params(here)
    return folder


@pytest.mark.parametrize("strategy", ["leave_one_out", "time"])
def test_columns_lie_beside_the_items(here, interactions, strategy):
    set_params(here, split__strategy=strategy)
    split.main()
    user, item, rating, timestamp = (
        np.load(interactions / f"{name}.npy") for name in ("user", "item", "rating", "timestamp")
    )
    for part in ("train", "test"):
        folder = here / "data/split" / part
        sequences = Sequences.load(
            folder, num_users=user[-1], num_items=NUM_ITEMS, columns=("rating", "timestamp")
        )
        for number in range(1, user[-1] + 1):
            start, stop = sequences.offsets[number : number + 2]
            whole = np.flatnonzero(user == number)[: stop - start]
            assert np.array_equal(sequences.items[start:stop], item[whole])
            found = sequences.columns
            assert np.array_equal(found["timestamp"][start:stop], timestamp[whole])
            assert np.array_equal(found["rating"][start:stop], rating[whole], equal_nan=True)


def test_genres_and_years_of_ml_100k(here, interactions):
    split.main()
    features = read_features(here / "data/split/train")
    assert features.names == ("Drama", "Film-Noir")
    assert features.offsets.tolist() == [0, 0, 2, 2] + [3] * (NUM_ITEMS - 2)
    assert features.genres.tolist() == [0, 1, 0]
    assert features.years.tolist() == [0, 1941, 0, 1995] + [0] * (NUM_ITEMS - 3)


def test_what_the_dataset_lacks_is_not_left_over_and_changes_nothing_else(here, interactions):
    folders = {name: here / "data/split" / name for name in ("train", "valid", "test")}
    split.main()
    rich = {name: tree(folder) for name, folder in folders.items()}
    tell(here, has_ratings=False, has_timestamps=False, time_unit=None)
    raw_ids = [f"i{number}" for number in range(1, NUM_ITEMS + 1)]
    write_catalogue(interactions / "items.csv", raw_ids, Details())
    split.main()
    for name, folder in folders.items():
        plain = tree(folder)
        more = set() if name == "valid" else COLUMNS | FEATURES
        assert set(rich[name]) == set(plain) | more
        del plain["dataset.json"]
        assert plain == {path: rich[name][path] for path in plain}
