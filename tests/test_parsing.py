"""Readers of the published formats and of the user's own file, right and wrong input."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_sources import local, rows

from sasrec.data_params import Columns
from sasrec.errors import UserError
from sasrec.parsing import (
    read_movielens,
    read_recbole,
    read_sasrec,
    read_synthetic,
)
from sasrec.synthetic import write_synthetic

HEADER = "user,item,rating,timestamp\n"


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
    with pytest.raises(UserError, match=r"ratings\.dat, line 2: 3 fields, expected 4 \(user, "):
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
        ("1 1\n1 0\n", "line 2: item is '0', expected a whole number from 1"),
        ("1 1\n\n1 x\n", "line 3: item is 'x', expected a whole number from 1"),
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


def test_local_csv_with_bom_crlf_quotes_and_blank_lines(tmp_path):
    content = (
        "\ufeffrating,extra,user,timestamp,item\r\n"
        '4.5,x,007," 1000",NA\r\n\r\n'
        '-1,y,7,2000,"a ""b"", c"\r\n'
    )
    assert rows(local(tmp_path, content)) == [
        ("007", "NA", 4.5, 1000),
        ("7", 'a "b", c', -1.0, 2000),
    ]


def test_local_without_times_and_ratings_takes_the_order_of_the_file(tmp_path):
    columns = Columns(user="u", item="i", timestamp=None, rating=None)
    source = local(tmp_path, "u\ti\nb\tx\na\tx\n", columns, suffix=".tsv")
    assert rows(source) == [("b", "x", None, 1), ("a", "x", None, 2)]
    assert not source.interactions.has_timestamps


@pytest.mark.parametrize(
    ("unit", "value", "seconds"),
    [
        ("s", "881250949", 881250949),
        ("s", "881250949.9", 881250949),
        ("s", "8.8125e8", 881250000),
        ("ms", "881250949999", 881250949),
        ("us", "881250949000001", 881250949),
        ("ns", "881250949999999999", 881250949),
        ("s", "1970-01-02", 86400),
        ("s", "1970-01-02T00:00:01", 86401),
        ("ms", "1970-01-02 00:00:01.75", 86401),
        ("s", "1970-01-02T00:00:01Z", 86401),
        ("s", "1970-01-02T01:00:01+01:00", 86401),
    ],
)
def test_times_become_utc_seconds(tmp_path, unit, value, seconds):
    source = local(tmp_path, f"{HEADER}a,x,1,{value}\n", unit=unit)
    assert source.interactions.timestamp.tolist() == [seconds]


def test_dates_with_and_without_offset_may_be_mixed(tmp_path):
    content = (
        f"{HEADER}a,x,1,1970-01-02\na,y,1,1970-01-02T02:00:00+02:00\na,z,1,1970-01-01T00:00Z\n"
    )
    assert local(tmp_path, content).interactions.timestamp.tolist() == [86400, 86400, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{HEADER}a,x,1\n", "line 2: 3 fields, expected 4 (user, item, rating, timestamp)"),
        (f"{HEADER}a,x,1,5\na,x,1,5,6\n", "line 3: 5 fields, expected 4"),
        (f"{HEADER}a,x,1,5\n,x,1,5\n", "line 3: user is missing"),
        (f"{HEADER}a,x,1,5\n\na,' ',1,5\na,  ,1,5\n", "line 5: item is missing"),
        (f"{HEADER}a,x,good,5\n", "line 2: rating is 'good', expected a finite number"),
        (f"{HEADER}a,x,,5\n", "line 2: rating is missing"),
        (f"{HEADER}a,x,1,5\na,x,nan,5\n", "line 3: rating is 'nan', expected a finite number"),
        (f"{HEADER}a,x,-inf,5\n", "line 2: rating is '-inf', expected a finite number"),
        (f"{HEADER}a,x,1e39,5\n", "line 2: rating is '1e39', expected a finite number"),
        (f"{HEADER}a,x,1,5\na,x,1,soon\n", "line 3: timestamp is 'soon', expected a time as a"),
        (f"{HEADER}a,x,1,5\na,x,1,\n", "line 3: timestamp is missing"),
        (f"{HEADER}a,x,1,nan\n", "line 2: timestamp is 'nan', expected a time as a number"),
        (f"{HEADER}a,x,1,1e300\n", "line 2: timestamp is '1e300', expected a time as a number"),
        (f"{HEADER}a,x,1,-1\n", "line 2: timestamp is '-1', expected a time from 1970 to 2099"),
        (f"{HEADER}a,x,1,1969-12-31\n", "line 2: timestamp is '1969-12-31', expected a time"),
        (f"{HEADER}a,x,1,4102444800\n", "line 2: timestamp is '4102444800', expected a time"),
        (f"{HEADER}a,x,1,1970-01-01\na,x,1,now\n", "line 3: timestamp is 'now', expected an ISO"),
        (f"{HEADER}a,x,1,1970-01-01\na,x,1,1970-13-01\n", "line 3: timestamp is '1970-13-01'"),
        (f"{HEADER}a,x,1,1970-01-01\na,x,1,77\n", "line 3: timestamp is '77', expected an ISO"),
        (f'note,{HEADER}"a\nb",a,x,1,5\n,c,x,1,y\n', "line 4: timestamp is 'y'"),
        (f'{HEADER}"a\nb",x,1,5\n', "line 2: user holds a line break"),
        (f'{HEADER}a,x,1,"5\nb,x,1,5\n', "line 2: unexpected end of data (a quote that is never"),
        (f'{HEADER}a,x,1,5\na,"x,1,5\nb,x,1,5\n', "line 3: unexpected end of data (a quote"),
        ("user,item,rating\na,x,1\n", "no column 'timestamp'; its columns are user, item, rating"),
        ("user,item,item,rating,timestamp\n", "more than one column 'item'"),
        (HEADER, "mine.csv has no rows below its header"),
        ("\n\n", "mine.csv is empty"),
        ("\ufeff", "mine.csv is empty"),
        (f"{HEADER}a,x,1,5\na,caf\xe9,1,5\n".encode("latin-1"), "line 3: not UTF-8 text"),
        (f"{HEADER}a,x,1,5\n".encode("utf-16"), "line 1: not UTF-8 text"),
    ],
)  # fmt: skip
def test_wrong_local_input_is_one_sentence_with_its_place(tmp_path, content, message):
    with pytest.raises(UserError) as error:
        local(tmp_path, content)
    assert str(error.value).startswith("mine.csv")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_blank_lines_before_the_header_do_not_hide_a_row(tmp_path):
    assert rows(local(tmp_path, f"\n\r\n{HEADER}a,x,1,5\nb,x,1,6")) == [
        ("a", "x", 1.0, 5),
        ("b", "x", 1.0, 6),
    ]
    with pytest.raises(UserError, match="line 5: rating is 'bad'"):
        local(tmp_path, f"\n\n{HEADER}a,x,1,5\nb,x,bad,6")


def test_a_column_that_is_not_read_may_hold_anything(tmp_path):
    content = b"note," + HEADER.encode() + b"caf\xe9,a,x,1,5\n"
    assert rows(local(tmp_path, content)) == [("a", "x", 1.0, 5)]
    with pytest.raises(UserError, match="line 3: rating is 'bad'"):
        local(tmp_path, content + b"\xff,a,x,bad,5\n")


def test_a_time_in_another_unit_is_recognised(tmp_path):
    with pytest.raises(UserError, match=r"with data\.time_unit: ms it would be 1997-12-04"):
        local(tmp_path, f"{HEADER}a,x,1,881250949000\n")


def test_the_line_is_found_in_a_long_file(tmp_path):
    lines = [f"{n},{n % 7},3,{n}" for n in range(30_000)]
    lines[23_456] = "1,1,three,1"
    with pytest.raises(UserError, match="line 23458: rating is 'three'"):
        local(tmp_path, HEADER + "\n".join(lines))


ids = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).filter(
    lambda text: text.strip()
)
interaction = st.tuples(
    ids,
    ids,
    st.floats(-1e9, 1e9, width=32),
    st.integers(0, 4_102_444_799),
)


@given(st.lists(interaction, min_size=1, max_size=20), st.sampled_from([".csv", ".tsv"]))
def test_what_a_csv_writer_writes_is_read_back(tmp_path_factory, content, suffix):
    folder = tmp_path_factory.mktemp("local")
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter="," if suffix == ".csv" else "\t")
    writer.writerow(["user", "item", "rating", "timestamp"])
    writer.writerows(content)
    assert rows(local(folder, stream.getvalue(), suffix=suffix)) == content


lines = st.lists(
    st.lists(st.sampled_from(["a", "1", "", '"', "2020-01-01", "é", " "]), max_size=5), max_size=6
)


@given(lines)
def test_any_text_is_read_or_refused_in_one_sentence(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("local")
    content = HEADER + "\n".join(",".join(line) for line in lines)
    try:
        message = ""
        size = len(local(folder, content).interactions)
    except UserError as error:
        message, size = str(error), 0
    assert bool(message) != bool(size)
    assert "\n" not in message
