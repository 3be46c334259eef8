"""What is known of films, by the ids of a file that numbered them anew."""

import pytest

from sasrec.base.errors import UserError
from sasrec.preparing.parsing import read_sasrec

FILMS = b"5::Caf\xe9: A, The (1975)::Drama|War\n7::Untitled::Comedy\n11::Solo(1982)::Comedy\n"
MAPPING = "1 11\n2 5\n3 7\n"


@pytest.fixture
def raw(tmp_path):
    (tmp_path / "ml-1m.txt").write_text("1 2\n1 1\n2 3\n")
    (tmp_path / "movies.dat").write_bytes(FILMS)
    (tmp_path / "sas_to_original_items.txt").write_text(MAPPING)
    return tmp_path


def test_items_get_their_films_details(raw):
    source = read_sasrec(raw)
    assert source.interactions.item_ids == ["1", "2", "3"]
    assert source.items.columns == ("title", "year", "genres")
    assert source.items.rows == {
        "1": ("Solo", "1982", "Comedy"),
        "2": ("Café: A, The", "1975", "Drama|War"),
        "3": ("Untitled", "", "Comedy"),
    }


def test_without_a_mapping_nothing_is_known(raw):
    (raw / "sas_to_original_items.txt").unlink()
    assert (read_sasrec(raw).items.columns, read_sasrec(raw).items.rows) == ((), {})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("1 11\n2 5\n", "maps 2 ids, expected each of the 3 items once"),
        ("1 11\n2 5\n2 7\n", "maps 3 ids, expected each of the 3 items once"),
        ("1 11\n2 5\n4 7\n", "maps 3 ids, expected each of the 3 items once"),
        ("1 11\n2 5\n3 5\n", "maps two items to one film"),
        ("1 11\n2 5\n3 8\n", "items.txt, line 3: '8' is no film of .*movies.dat"),
        ("1 11\n2 5 7\n3 7\n", "line 2: 3 fields, expected 2"),
    ],
)
def test_a_mapping_that_is_not_one_to_one_is_refused(raw, mapping, message):
    (raw / "sas_to_original_items.txt").write_text(mapping)
    with pytest.raises(UserError, match=message):
        read_sasrec(raw)
