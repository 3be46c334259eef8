"""users.csv and items.csv, written and read."""

from pathlib import Path

import pytest

from sasrec.base.errors import UserError
from sasrec.data.catalogue import Catalogue, Details, write_catalogue

DETAILS = Details(("title", "year"), {"x": ('The "A", B', "1995")})
RAW_IDS = ["x", "y,z", "é"]


def test_what_is_written_quotes_what_needs_it(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "items.csv", RAW_IDS, DETAILS)
    assert (tmp_path / "items.csv").read_bytes() == (
        'id,raw_id,title,year\n1,x,"The ""A"", B",1995\n2,"y,z",,\n3,é,,\n'.encode()
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "items.csv", RAW_IDS, DETAILS)
    found = Catalogue.read(tmp_path / "items.csv")
    assert found.raw_ids == {1: "x", 2: "y,z", 3: "é"}
    assert found.raw_ids_of([3, 1]) == ["é", "x"]
    assert found.describe([2, 1]).to_numpy().tolist() == [
        ["y,z", "", ""],
        ["x", 'The "A", B', "1995"],
    ]


def test_raw_ids(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,raw_id,title\n1,007,Goldfinger\n2,NA,Namibia\n")
    items = Catalogue.read(path)
    assert items.ids_of(["NA", "007"]) == [2, 1]
    assert items.describe([2]).to_dict("records") == [{"raw_id": "NA", "title": "Namibia"}]
    with pytest.raises(UserError, match=r"'7' is not among the raw ids of .*items.csv \(007, NA"):
        items.ids_of(["7"])
    with pytest.raises(UserError, match=r"items.csv has no row for the id 3"):
        items.describe([3])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"users.csv not found: run `dvc repro` first"):
        Catalogue.read(tmp_path / "users.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "lacks the column id and raw_id"),
        ("id,name\n1,a\n", "lacks the column raw_id"),
        ("id,raw_id\n1,a\n2,b\n1,c\n", "line 4: the id 1 again"),
        ("id,raw_id\n1,a\n2\n", "line 3: too few fields"),
        ("id,raw_id,title\n1,a\n", "line 2: too few fields"),
        ("id,raw_id\none,a\n", "line 2: the id is 'one', expected a whole number"),
        ('id,raw_id\n1,"a"b\n', "is not a readable CSV file: "),
    ],
)
def test_what_is_wrong(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "items.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=f"items.csv.* ?{message}"):
        Catalogue.read(path)
