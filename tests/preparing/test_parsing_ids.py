"""Ids of the user's own file: kept as they are, refused where digits were lost, noticed."""

import pytest
from toy_sources import ALL, local

from sasrec.base.errors import UserError

COLUMNS = ALL.model_copy(update={"rating": None, "timestamp": None})


def read(folder, *users):
    content = "user,item\n" + "".join(f'"{user}",x\n' for user in users)
    return local(folder, content, COLUMNS)


@pytest.mark.parametrize("lost", ["3.91E+16", "3,91E+16", "4e+18", "-1.5e+10", "1.23457E+15"])
def test_ids_that_lost_digits_are_refused(tmp_path, lost):
    with pytest.raises(UserError) as error:
        read(tmp_path, "7", lost)
    assert str(error.value) == (
        f"mine.csv, line 3: 'user' is '{lost}', as spreadsheets show long numbers; digits were "
        "lost: export ids as text"
    )


def test_one_id_in_two_ways_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"line 3: 'user' is '123\.0', and elsewhere '123': write"):
        read(tmp_path, "9", "123.0", "123")
    assert read(tmp_path, "9.0", "123.0", "124").notices == ()


@pytest.mark.parametrize(
    "user", ["007", "12e5", "1e+5x", "B00E+12", "1.50", "é", "#", "a b", "0x1"]
)
def test_other_ids_are_kept_as_they_are(tmp_path, user):
    source = read(tmp_path, user, "8")
    assert source.interactions.user_ids == [user, "8"]
    assert source.notices == ()


@pytest.mark.parametrize(
    ("one", "two", "shown"),
    [
        ("a", "a ", "'a ' from 'a'"),
        ("a\t", "a", r"'a\t' from 'a'"),
        ("a", "\u200ba", r"'\u200ba' from 'a'"),
        ("a b", "a\xa0b", r"'a\xa0b' from 'a b'"),
        ("\xe9", "e\u0301", r"'e\u0301' from '\xe9'"),
        ("a\ufeff", "a\u00ad", r"'a\xad' from 'a\ufeff'"),
    ],
)
def test_ids_that_look_alike_are_noticed(tmp_path, one, two, shown):
    source = read(tmp_path, one, "b", two, one)
    assert source.interactions.user_ids == [one, "b", two]
    assert source.notices == (
        "1 ids of 'user' differ from another one only in spaces or in characters that cannot be "
        f"seen, as {shown}; they count as different",
    )


@pytest.mark.parametrize("name", ["NA", "null", "None", "nan", "\\N", "unknown", "N/A", " NULL"])
def test_ids_that_may_stand_for_none_are_noticed(tmp_path, name):
    assert read(tmp_path, "a", name, "b", name).notices == (
        f"'user' is {name!r} in 2 rows; if that means a missing id, set data.missing_id: drop",
    )
