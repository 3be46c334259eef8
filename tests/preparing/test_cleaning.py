"""The order of cleaning, and the known counts of a dataset: held where they apply."""

import pytest
from test_interactions import back, table

from sasrec.base.errors import UserError
from sasrec.preparing import cleaning
from sasrec.preparing.cleaning import prepare
from sasrec.sources.datasets import Counts, Dataset
from sasrec.sources.params import DataParams

# a and b have x and y five times each and one z. One repetition.
ROWS = [(user, item, time, 3.0) for time in range(5) for user in "ab" for item in "xy"]
ROWS += [("a", "z", 9, 1.0), ("a", "z", 9, 1.0)]
ALL, LEFT = Counts(2, 3, 22), Counts(2, 2, 20)


def run(monkeypatch, form="recbole", source=ALL, filtered=LEFT, **changes):
    dataset = Dataset(form, None, None, source_counts=source, filtered_counts=filtered)
    monkeypatch.setattr(cleaning, "DATASETS", {"known": dataset})
    settings = {"min_rating": None, "min_interactions": 5, "filter": "once"} | changes
    return prepare(table(ROWS), DataParams.model_construct(name="known", **settings))


def test_the_known_counts_hold(monkeypatch):
    data, dropped = run(monkeypatch)
    assert len(data) == 20
    assert dropped == {"min_rating": 0, "duplicates": 1, "min_interactions": 1}


@pytest.mark.parametrize(
    "wrong", [Counts(3, 3, 22), Counts(2, 4, 22), Counts(2, 3, 23)], ids=["users", "items", "rows"]
)
def test_other_counts_of_the_source_are_refused(monkeypatch, wrong):
    for form in ("recbole", "sasrec"):
        with pytest.raises(UserError, match="known has 22 interactions of 2 users and 3 items in"):
            run(monkeypatch, form, source=wrong, min_rating=2.0)


@pytest.mark.parametrize(
    "wrong", [Counts(1, 2, 20), Counts(2, 3, 20), Counts(2, 2, 21)], ids=["users", "items", "rows"]
)
def test_other_counts_after_cleaning_are_refused(monkeypatch, wrong):
    with pytest.raises(UserError, match="known has 20 interactions of 2 users and 2 items after"):
        run(monkeypatch, filtered=wrong)


@pytest.mark.parametrize(
    "changes", [{"min_rating": 1.0}, {"min_interactions": 4}, {"filter": "k-core"}]
)
def test_counts_of_other_settings_are_not_known(monkeypatch, changes):
    data, _ = run(monkeypatch, filtered=Counts(1, 1, 1), **changes)
    assert len(data) == 20


def test_the_authors_files_are_taken_as_they_are(monkeypatch):
    data, dropped = run(monkeypatch, "sasrec", filtered=Counts(1, 1, 1))
    assert back(data) == ROWS
    assert dropped == {"min_rating": 0, "duplicates": 0, "min_interactions": 0}


def test_repetitions_do_not_count_as_interactions(monkeypatch):
    # z's two rows are one interaction: with the filter first it would stay.
    data, dropped = run(monkeypatch, min_interactions=2)
    assert data.item_ids == ["x", "y"]
    assert dropped == {"min_rating": 0, "duplicates": 1, "min_interactions": 1}
