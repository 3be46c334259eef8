"""The item file: titles, years, genres and more, in any format, by the interactions' ids."""

import json

import pytest
from toy_files import Written, json_lines, parquet, text
from toy_sources import T

from sasrec.base.errors import UserError

CONTENT = text([("a", "1", T), ("b", "2", T + 1), ("a", "3", T + 2)]).encode()
COLUMNS = {"id": "id", "title": "name", "year": "made", "genres": "kinds"}
HEADER = ("id", "name", "made", "kinds", "price")
ROWS = [
    ("1", "Tea, green", "1999", "hot| drink |", "3.5"),
    ("2", "Café\nau lait", "01-Jan-2001", "", ""),
    ("9", "Jam", "", "sweet", "2"),
]
DETAILS = {
    "1": ("Tea, green", "1999", "hot|drink"),
    "2": ("Café au lait", "2001", ""),
    "9": ("Jam", "", "sweet"),
}


def read(folder, items, columns=COLUMNS, **changes):
    written = Written(CONTENT, items=items)
    return written.read(folder, items={"columns": columns, **changes})


@pytest.mark.parametrize(
    "items",
    [
        text(ROWS, header=HEADER).encode(),
        text(ROWS, ";", header=HEADER).encode("latin-1"),
        text(ROWS, "\t", header=HEADER).encode("utf-16"),
        json_lines(ROWS, HEADER),
        parquet(ROWS, HEADER),
    ],
    ids=["csv", "semicolons", "utf-16", "json", "parquet"],
)
def test_any_format(tmp_path, items):
    source = read(tmp_path, items)
    assert source.items.columns == ("title", "year", "genres")
    assert source.items.rows == DETAILS


def test_other_columns_are_kept_under_their_names(tmp_path):
    source = read(tmp_path, text(ROWS, header=HEADER).encode(), {"id": "id", "others": ["price"]})
    assert source.items.columns == ("price",)
    assert source.items.rows == {"1": ("3.5",), "2": ("",), "9": ("2",)}


def test_by_position_without_a_header(tmp_path):
    columns = {"id": 0, "title": 1, "genres": 2}
    source = read(tmp_path, "1::Café::a,b\n2::Jam::\n".encode(), columns, genre_separator=",")
    assert source.items.rows == {"1": ("Café", "a|b"), "2": ("Jam", "")}


def test_numbers_and_lists(tmp_path):
    rows = [(1, "a", 1999.0, None, 1.5), (2, "b", None, None, 2.0)]
    columns = COLUMNS | {"others": ["price"]}
    source = read(tmp_path, parquet(rows, HEADER), columns)
    assert source.items.rows == {"1": ("a", "1999", "", "1.5"), "2": ("b", "", "", "2")}
    lines = json.dumps({"id": 1, "name": "a", "made": 1999, "kinds": ["x", "y|z"]}).encode()
    source = read(tmp_path, lines, genre_separator=",")
    assert source.items.rows == {"1": ("a", "1999", "x|y/z")}


def test_lists_in_parquet_are_joined(tmp_path):
    rows = [("1", "a", 1999, ["x", None, "y"]), ("2", "b", 2000, []), ("3", "c", 2001, None)]
    source = read(tmp_path, parquet(rows, HEADER[:4]))
    assert [row[2] for row in source.items.rows.values()] == ["x|y", "", ""]


@pytest.mark.parametrize("written", [json_lines, parquet])
@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("g.name", [[{"name": "x"}, {"name": None}, {"name": "y"}], [], None]),
        ("g.of", [{"of": ["x", None, "y"]}, {"of": []}, None]),
    ],
)
def test_fields_of_objects_and_lists_are_joined(tmp_path, written, key, values):
    content = written(list(zip("123", values, strict=True)), ("id", "g"))
    source = read(tmp_path, content, {"id": "id", "genres": key})
    assert source.items.rows == {"1": ("x|y",), "2": ("",), "3": ("",)}


def test_of_ids_that_may_be_missing_its_own_remedy_is_told(tmp_path):
    source = read(tmp_path, b"id,name\n1,a\nNA,b\n", {"id": "id", "title": "name"})
    assert source.notices[0].endswith(
        "in 1 row; if that means a missing id, take these rows out of the file"
    )


def test_the_first_of_several_rows_may_count(tmp_path):
    items = b"id,name\n1,a\n2,b\n1,c\n3,d\n2,e\n"
    source = read(tmp_path, items, {"id": "id", "title": "name"}, repeated="first")
    assert source.items.rows == {"1": ("a",), "2": ("b",), "3": ("d",)}


def test_a_file_without_rows_tells_nothing(tmp_path):
    assert read(tmp_path, b"id,name,made,kinds\n").items.columns == ()


def test_years_that_are_none_are_noticed(tmp_path):
    source = read(tmp_path, b"id,name,made,kinds\n1,a,old,x\n2,b,1999-2001,x\n")
    assert [row[1] for row in source.items.rows.values()] == ["", ""]
    assert source.notices[0].endswith(
        "no year from 1500 to 2099 is in 2 values of 'made', as 'old'"
    )


@pytest.mark.parametrize(
    ("items", "columns", "message"),
    [
        (b"id,name\n1,a\n2,b\n1,c\n2,b\n", {"id": "id", "title": "name"},
         "the item file (items.csv), line 4: item '1' again, which line 2 tells of already (2 such "
         "rows); keep one row of each item, or set data.items.repeated: first"),
        (b"id,name\n01,a\n", {"id": "id", "title": "name"},
         "none of its 1 ids ('01', …) is an item of the interactions ('1', '2', '3', …); some are "
         "equal but for zeros or spaces before them"),
        (b"id,name\nx,a\n", {"id": "id", "title": "name"}, "is data.items.columns.id the right"),
        (b"id,name\n1,a\n", {"id": "id"}, "name what to read of it in data.items.columns: title,"),
        (b"id,name\n1,a\n", {"id": "id", "title": "nam"}, "no column 'nam'; its columns are"),
        (b'id,name\n1,a "b"\n', {"id": "id", "title": "name"}, "set data.items.quoted: false"),
        (b"id,name\n1,a\n,b\n", {"id": "id", "title": "name"}, "line 3: 'id' is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, items, columns, message):
    with pytest.raises(UserError) as error:
        read(tmp_path, items, columns)
    assert str(error.value).startswith("the item file (items.csv)")
    assert message in str(error.value)
