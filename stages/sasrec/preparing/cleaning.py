"""What preprocess drops, in which order, how much of it; and the counts that are known."""

import numpy as np
import pandas as pd

from sasrec.base.errors import UserError
from sasrec.preparing.interactions import Interactions, by_user, numbered
from sasrec.sources.datasets import DATASETS, Counts
from sasrec.sources.params import DataParams


def prepare(data: Interactions, params: DataParams) -> tuple[Interactions, dict[str, int]]:
    """Clean a dataset's interactions, or take them as they are where its authors did that.

    Returns the interactions by user then time, with contiguous codes, and how many
    interactions each step dropped.

    Raises:
        UserError: nothing is left, or the counts are not those that the registry knows.
    """
    dataset = DATASETS[params.name]
    _check_counts(params.name, "in its source", data, dataset.source_counts)
    if dataset.format == "sasrec":
        return data, dict.fromkeys(("min_rating", "duplicates", "min_interactions"), 0)
    data, dropped = clean(data, params)
    usual = params.min_rating is None and params.min_interactions == 5 and params.filter == "once"
    if usual:  # the settings that the registry's counts are known for
        _check_counts(params.name, "after cleaning", data, dataset.filtered_counts)
    return data, dropped


def clean(data: Interactions, params: DataParams) -> tuple[Interactions, dict[str, int]]:
    """Drop low ratings, duplicates, and rare users and items; then number by time.

    Raises:
        UserError: `min_rating` is set and there are no ratings, or nothing is left.
    """
    # One name for all, so that each step's interactions can go before the next one's come.
    kept, sizes = data, [len(data)]
    if params.min_rating is not None:
        kept = drop_low_ratings(kept, params.min_rating)
    sizes.append(len(kept))
    kept = drop_duplicates(kept)
    sizes.append(len(kept))
    kept = FILTERS[params.filter](kept, params.min_interactions)
    sizes.append(len(kept))
    steps = ("min_rating", "duplicates", "min_interactions")
    dropped = dict(zip(steps, (-np.diff(sizes)).tolist(), strict=True))
    if len(kept) == 0:
        raise UserError(_nothing_left(data, dropped, params))
    kept = numbered(kept)
    return by_user(kept), dropped


def drop_low_ratings(data: Interactions, min_rating: float) -> Interactions:
    """Keep the interactions that are rated `min_rating` or higher.

    Raises:
        UserError: the data has no ratings.
    """
    if data.rating is None:
        raise UserError(
            f"data.min_rating = {min_rating:g}, but the data has no ratings: "
            "set data.min_rating to null, or name the column in data.columns.rating"
        )
    return data.take(data.rating >= np.float32(min_rating))


def drop_duplicates(data: Interactions) -> Interactions:
    """Of interactions with the same user, item and moment keep the first; order by moment.

    The moment is the time, exactly as the source gives it, and what data.columns.order adds.
    Equal moments keep their order. Without times and order the data is returned as it is: a
    user may well choose an item again.
    """
    moment = data.moment
    if moment is None or len(data) == 0:
        return data
    if np.any(moment[1:] < moment[:-1]):
        data = data.take(np.argsort(moment, kind="stable"))
        moment = data.moment
        assert moment is not None
    equal = moment[1:] == moment[:-1]
    rows = np.flatnonzero(np.append(equal, False) | np.append(False, equal))
    pair = data.user[rows] * np.int64(len(data.item_ids)) + data.item[rows]
    keys = pd.DataFrame({"moment": moment[rows], "pair": pair})
    duplicates = rows[keys.duplicated().to_numpy()]
    if len(duplicates) == 0:
        return data
    keep = np.ones(len(data), dtype=bool)
    keep[duplicates] = False
    return data.take(keep)


def filter_once(data: Interactions, min_interactions: int) -> Interactions:
    """Drop users and items with fewer interactions; both counts are taken beforehand.

    As the authors of SASRec did; what is left may hold users and items below the minimum.
    """
    users = np.bincount(data.user) >= min_interactions
    items = np.bincount(data.item) >= min_interactions
    if users.all() and items.all():
        return data
    return data.take(users[data.user] & items[data.item])


def filter_k_core(data: Interactions, min_interactions: int) -> Interactions:
    """Repeat `filter_once` until every user and item left has enough interactions."""
    while True:
        kept = filter_once(data, min_interactions)
        if len(kept) == len(data):
            return kept
        data = kept


FILTERS = {"once": filter_once, "k-core": filter_k_core}


def _check_counts(name: str, when: str, data: Interactions, expected: Counts | None) -> None:
    found = _counts(data)
    if expected is not None and found != expected:
        raise UserError(f"{name} has {_words(found)} {when}, expected {_words(expected)}")


def _counts(data: Interactions) -> Counts:
    return Counts(len(data.user_ids), len(data.item_ids), len(data))


def _words(counts: Counts) -> str:
    users, items = f"{counts.users:,} users", f"{counts.items:,} items"
    return f"{counts.interactions:,} interactions of {users} and {items}"


def _nothing_left(data: Interactions, dropped: dict[str, int], params: DataParams) -> str:
    steps = [
        f"{dropped['min_rating']:,} rated under data.min_rating = {params.min_rating}",
        f"{dropped['duplicates']:,} duplicates",
        f"{dropped['min_interactions']:,} by data.filter = {params.filter} with "
        f"data.min_interactions = {params.min_interactions}",
    ]
    if params.min_rating is None:
        del steps[0]
    return f"0 interactions are left of {_words(_counts(data))}: dropped {', '.join(steps)}"
