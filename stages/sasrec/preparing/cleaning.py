"""What preprocess drops, in which order, how much of it; and the counts that are known."""

from sasrec.base.errors import UserError
from sasrec.preparing.interactions import (
    FILTERS,
    Interactions,
    drop_duplicates,
    drop_low_ratings,
    number_by_time,
)
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
    rated = data if params.min_rating is None else drop_low_ratings(data, params.min_rating)
    distinct = drop_duplicates(rated)
    kept = FILTERS[params.filter](distinct, params.min_interactions)
    dropped = {
        "min_rating": len(data) - len(rated),
        "duplicates": len(rated) - len(distinct),
        "min_interactions": len(distinct) - len(kept),
    }
    if len(kept) == 0:
        raise UserError(_nothing_left(data, dropped, params))
    return number_by_time(kept), dropped


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
