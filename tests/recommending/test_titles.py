"""Items by their titles: which one is meant, and what is said where that is not clear."""

import re

import pytest

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Catalogue, Details, write_catalogue
from sasrec.recommending.titles import Titles

ROWS = {
    "1": ("Toy Story", "1995"),
    "2": ("Sabrina", "1995"),
    "3": ("Sabrina", "1954"),
    "4": ("Heat", "1995"),
    "5": ("Heathers", ""),
    "6": ("heat", "1995"),
    "7": ("Amélie", "2001"),
    "8": ("", "1999"),
    "9": ("Chasing Amy (1997)", "1997"),
    "10": ("Chasing Amy", "1997"),
    "11": ("The One (and Only)", ""),
}


@pytest.fixture
def titles(tmp_path):
    write_catalogue(tmp_path / "items.csv", list(ROWS), Details(("title", "year"), ROWS))
    return Titles(Catalogue.read(tmp_path / "items.csv"))


def test_a_title_shows_its_year_once(titles) -> None:
    shown = [titles.of[raw_id] for raw_id in ("1", "5", "8", "9", "10")]
    chasing = "Chasing Amy (1997)"
    assert shown == ["Toy Story (1995)", "Heathers", "", chasing, chasing]


@pytest.mark.parametrize(
    ("text", "raw_id"),
    [
        ("Toy Story (1995)", "1"),
        ("Toy Story", "1"),
        ("toy  STORY", "1"),
        ("toy st", "1"),
        ("Sabrina (1954)", "3"),
        ("Heat", "4"),
        ("heat", "6"),
        ("heath", "5"),
        ("AME\u0301LIE", "7"),
        ("the one (and", "11"),
    ],
)
def test_which_item_is_meant(titles, text, raw_id) -> None:
    assert titles.find(text) == raw_id


def test_what_is_shown_is_found(titles) -> None:
    for raw_id, title in titles.of.items():
        if title and raw_id not in ("9", "10"):  # which have the same
            assert titles.find(title) == raw_id


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sabrina", "of 2 items: 'Sabrina (1995)' (id 2), 'Sabrina (1954)' (id 3); write it"),
        ("HEAT", "of 2 items: 'Heat (1995)' (id 4), 'heat (1995)' (id 6); write"),
        ("Chasing Amy (1997)", "of 2 items: 'Chasing Amy (1997)' (id 9), 'Chasing Amy (1997)' (id"),
        ("h", "of 3 items: 'Heat (1995)' (id 4), 'Heathers' (id 5), 'heat (1995)' (id 6); write"),
        ("story", "has the title 'story'; the nearest are 'Toy Story (1995)'"),
        ("Amelie", "has the title 'Amelie'; the nearest are 'Amélie (2001)', "),
        ("", "has the title ''; the nearest are "),
        ("The One (1995)", "has the title 'The One (1995)'; the nearest are "),
    ],
)
def test_what_is_said_where_it_is_not_clear(titles, text, message) -> None:
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        titles.find(text)
    assert "\n" not in str(caught.value)


def test_data_without_titles(tmp_path) -> None:
    write_catalogue(tmp_path / "items.csv", ["1", "2"], Details())
    titles = Titles(Catalogue.read(tmp_path / "items.csv"))
    assert not titles.known
    with pytest.raises(UserError, match="has no titles: name items by their ids"):
        titles.find("Heat")
