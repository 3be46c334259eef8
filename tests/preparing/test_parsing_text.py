"""The user's own CSV and TSV files: every row is read, or the line that is wrong is named."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_sources import ALL, T, local, rows

from sasrec.base.errors import UserError
from sasrec.sources.params import Columns

HEADER = "user,item,rating,timestamp\n"
LINE = f"a,x,1,{T}\n"


def test_bom_crlf_quotes_and_blank_lines(tmp_path):
    content = (
        "\ufeffrating,extra,user,timestamp,item\r\n"
        f'4.5,x,007," {T + 1}",NA\r\n\r\n'
        f'-1,y,7,{T + 2},"a ""b"", c"\r\n'
    )
    assert rows(local(tmp_path, content)) == [
        ("007", "NA", 4.5, T + 1),
        ("7", 'a "b", c', -1.0, T + 2),
    ]


def test_without_times_and_ratings_the_order_of_the_file_counts(tmp_path):
    columns = Columns(user="u", item="i", timestamp=None, rating=None, order=None)
    source = local(tmp_path, "u\ti\nb\tx\na\tx\n", columns, suffix=".tsv")
    assert rows(source) == [("b", "x", None, 1), ("a", "x", None, 2)]
    assert source.interactions.time_unit is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,x,1\n", "line 2: 3 fields, expected 4 ('user', 'item', 'rating', 'timestamp')"),
        (f"{LINE}a,x,1,5,6\n", "line 3: 5 fields, expected 4"),
        (f"{LINE}{LINE}\n , \n", "line 5: 2 fields, expected 4"),
        (f"{LINE},x,1,{T}\n", "line 3: 'user' is missing"),
        (f"{LINE}\na,' ',1,{T}\na,  ,1,{T}\n", "line 5: 'item' is missing"),
        (f"a,x,good,{T}\n", "line 2: 'rating' is 'good', expected a finite number"),
        (f"a,x,,{T}\n", "line 2: 'rating' is missing"),
        (f"{LINE}a,x,nan,{T}\n", "line 3: 'rating' is 'nan', expected a finite number"),
        (f"a,x,-inf,{T}\n", "line 2: 'rating' is '-inf', expected a finite number"),
        (f"a,x,1e39,{T}\n", "line 2: 'rating' is '1e39', expected a finite number"),
        ("", "mine.csv has no rows below its header"),
    ],
)
def test_wrong_rows_are_named(tmp_path, content, message):
    refused(tmp_path, HEADER + content, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "user,item,rating, timestamp\na,x,1,5\n",
            "no column 'timestamp'; its columns are 'user', 'item', 'rating', ' timestamp'",
        ),
        (
            "users;item;rating;timestamp\n1;2;3;4\n",
            "no column 'user'; its columns are 'users', 'item', 'rating', 'timestamp'",
        ),
        ("user,item,item,rating,timestamp\n", "more than one column 'item'"),
        ("\n\n", "mine.csv is empty"),
        ("\ufeff", "mine.csv is empty"),
        (f"{HEADER}{LINE}a,\xe9,1,{T}\n".encode() + b"a,caf\xe9,1,5\n", "line 4: not UTF-8 text"),
        (f"{HEADER}{LINE}".encode("utf-16")[:-1], "line 2: not UTF-16 text"),
        (f"note,{HEADER}n,{LINE}\0,{LINE}", "line 3: a zero byte: damaged, or not UTF-8 text"),
        (f"{HEADER}{LINE}{LINE}a,x\ry,1,{T}\n", "line 4: a carriage return without a line feed"),
        (f"{HEADER}{LINE}".replace("\n", "\r"), "line 1: a carriage return without a line feed"),
        (f"{HEADER}{LINE}\ufeff{HEADER}{LINE}", "line 3: a byte order mark inside the file"),
    ],
)
def test_wrong_files_are_refused(tmp_path, content, message):
    refused(tmp_path, content, message)


def refused(folder, content, message):
    with pytest.raises(UserError) as error:
        local(folder, content)
    assert str(error.value).startswith("mine.csv")
    assert message in str(error.value)
    assert str(error.value).isprintable()


def test_blank_lines_before_the_header_do_not_hide_a_row(tmp_path):
    assert rows(local(tmp_path, f"\n\r\n{HEADER}a,x,1,{T}\nb,x,1,{T}")) == [
        ("a", "x", 1.0, T),
        ("b", "x", 1.0, T),
    ]
    with pytest.raises(UserError, match="line 5: 'rating' is 'bad'"):
        local(tmp_path, f"\n\n{HEADER}a,x,1,{T}\nb,x,bad,{T}")


def test_a_column_that_is_not_read_may_hold_anything(tmp_path):
    content = f"note,{HEADER}caf\xe9,a,x,1,{T}\n".encode("latin-1")
    assert rows(local(tmp_path, content)) == [("a", "x", 1.0, T)]
    with pytest.raises(UserError, match="line 3: 'rating' is 'bad'"):
        local(tmp_path, content + f"\xff,a,x,bad,{T}\n".encode("latin-1"))
    with pytest.raises(UserError, match="line 3: 2 fields"):
        local(tmp_path, content + b"\xff,a\n")


def test_a_field_longer_than_a_block_of_the_csv_module(tmp_path):
    content = f'note,{HEADER}"{"long, " * 200_000}",a,x,1,{T}\nshort,b,x,bad,{T}\n'
    with pytest.raises(UserError, match="line 3: 'rating' is 'bad'"):
        local(tmp_path, content)


def test_repeated_headers_are_left_out_and_counted(tmp_path):
    content = f"{HEADER}{LINE}{HEADER}b,y,2,{T}\nuser,item,3,{T}\n{HEADER}c,z,bad,{T}\n"
    good = content.replace("bad", "4")
    source = local(tmp_path, good)
    assert [row[0] for row in rows(source)] == ["a", "b", "user", "c"]
    assert source.left_out["repeated_headers"] == 2
    with pytest.raises(UserError, match="line 7: 'rating' is 'bad'"):
        local(tmp_path, content)


def test_the_line_is_found_in_a_long_file(tmp_path):
    lines = [f"{n},{n % 7},3,{T + n}" for n in range(30_000)]
    lines[23_456] = f"1,1,three,{T}"
    with pytest.raises(UserError, match="line 23458: 'rating' is 'three'"):
        local(tmp_path, HEADER + "\n".join(lines))


ids = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0\ufeff"), min_size=1).filter(
    lambda text: text.strip()
)
interaction = st.tuples(
    ids,
    ids,
    st.floats(-1e9, 1e9, width=32),
    st.integers(31_536_000, 4_102_444_799),
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


@pytest.mark.parametrize("changes", [{"timestamp": "item"}, {"order": ["n", "user"]}])
def test_no_column_is_used_twice(changes):
    with pytest.raises(ValueError, match="a column is named twice: 'user', 'item'"):
        Columns(**(ALL.model_dump() | changes))
