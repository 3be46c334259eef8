"""Readers of the published formats, right and wrong input."""

import numpy as np
import pandas as pd
import pytest
from toy_sources import rows

from sasrec.base.errors import UserError
from sasrec.preparing.parsing import (
    read_movielens,
    read_recbole,
    read_sasrec,
    read_synthetic,
)
from sasrec.sources.synthetic import write_synthetic


def test_recbole_files_give_interactions_and_details(tmp_path):
    (tmp_path / "ml-100k.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n"
        "22\t242\t1\t878887116\n"
    )
    (tmp_path / "ml-100k.user").write_text(
        "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "22\t24\tM\twriter\t85711\n"
    )
    (tmp_path / "ml-100k.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "242\tCitizen \"K\"\t1941\tDrama Film-Noir\n"
    )  # fmt: skip
    source = read_recbole(tmp_path)
    assert rows(source) == [("196", "242", 3.0, 881250949), ("22", "242", 1.0, 878887116)]
    assert source.users.columns == ("age", "gender", "occupation")
    assert source.users.rows == {"22": ("24", "M", "writer")}
    assert source.items.columns == ("title", "year", "genres")
    assert source.items.rows == {"242": ('Citizen "K"', "1941", "Drama|Film-Noir")}


def test_movielens_files_give_interactions_and_details(tmp_path):
    (tmp_path / "ratings.dat").write_bytes(b"1::1193::5::978300760\n1::661::3::978302109\n")
    (tmp_path / "users.dat").write_bytes(b"1::F::1::10::48067\n")
    (tmp_path / "movies.dat").write_bytes(
        b'1193::Caf\xe9: "X", The (1975)::Drama|War\n661::L\'Ami(1982)::Comedy\n7::Untitled::None\n'
    )
    source = read_movielens(tmp_path)
    assert rows(source) == [("1", "1193", 5.0, 978300760), ("1", "661", 3.0, 978302109)]
    assert source.users.rows == {"1": ("1", "F", "10")}
    assert source.items.rows == {
        "1193": ('Café: "X", The', "1975", "Drama|War"),
        "661": ("L'Ami", "1982", "Comedy"),
        "7": ("Untitled", "", "None"),
    }


def test_a_malformed_line_of_movielens_is_named(tmp_path):
    (tmp_path / "ratings.dat").write_bytes(b"1::1193::5::978300760\n1::661::3\n")
    with pytest.raises(UserError, match=r"ratings\.dat, line 2: 3 fields, expected 4 \('user', "):
        read_movielens(tmp_path)


def test_the_authors_lines_keep_their_ids_and_their_order(tmp_path):
    (tmp_path / "Video.txt").write_text("1 2\n1 1\n1 2\n2 3\n")
    data = read_sasrec(tmp_path).interactions
    assert data.user.tolist() == [0, 0, 0, 1]
    assert data.item.tolist() == [1, 0, 1, 2]
    assert data.timestamp.tolist() == [1, 2, 3, 4]
    assert (data.user.dtype, data.item.dtype) == (np.int32, np.int32)
    assert (data.user_ids, data.item_ids) == (["1", "2"], ["1", "2", "3"])
    assert data.rating is None
    assert not data.has_timestamps


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1 1\n3 2\n", "line 2: user 3 is out of order"),
        ("1 1\n2 2\n1 3\n", "line 3: user 1 is out of order"),
        ("2 1\n", "line 1: user 2 is out of order"),
        ("1 1\n1 3\n1 1\n", "some item from 1 to 3 never occurs"),
        ("1 1\n1 400000\n", "some item from 1 to 400000 never occurs"),
        ("1 1\n1 0\n", "line 2: 'item' is '0', expected a whole number from 1"),
        ("1 1\n\n1 x\n", "line 3: 'item' is 'x', expected a whole number from 1"),
        ("1 1\n1 1 1\n", "line 2: 3 fields, expected 2"),
        ("", "is empty"),
    ],
)
def test_wrong_lines_of_the_authors_format_are_named(tmp_path, content, message):
    (tmp_path / "Video.txt").write_text(content)
    with pytest.raises(UserError, match=message):
        read_sasrec(tmp_path)


def test_synthetic_files_are_read_back(tmp_path):
    write_synthetic(tmp_path / "interactions.parquet", 3, 7, 23, seed=5)
    frame = pd.read_parquet(tmp_path / "interactions.parquet")
    expected = [(str(r.user), str(r.item), None, r.timestamp) for r in frame.itertuples()]
    assert rows(read_synthetic(tmp_path)) == expected
