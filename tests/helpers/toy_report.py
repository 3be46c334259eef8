"""A finished toy run to report on, with titles that strangers might give."""

import csv
import json
import sys

import report

HOSTILE = (
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "\u202eevil \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "Ghost \U0001f47b & \"quotes\" 'too' {{ 7 * 7 }} $x^2$",
    "long" * 125,
)
DATA = {
    "num_users": 29,
    "num_items": 17,
    "num_interactions": 127,
    "density": 0.257606,
    "sequence_length": {"mean": 4.37931, "median": 4.0, "max": 7},
    "equal_time_share": 0.75,
    "ties": {
        "neighbours": 50,
        "item_id_rises": 0.95,
        "item_id_falls": 0.05,
        "file_grouped_by_item": False,
    },
    "checks": {"same_time": 0.0, "largest_user": 0.5, "filtered": 0.79, "unseen_targets": 0.05},
    "dropped": {"min_rating": 0, "duplicates": 3, "min_interactions": 500},
}


def finish(folder):
    """Add to a folder in which split, train and evaluate ran what preprocess leaves."""
    (folder / "metrics/data.json").write_text(json.dumps(DATA))
    path = folder / "data/interactions/items.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    for row, title in zip(rows, HOSTILE * len(rows), strict=False):
        row[2] = title
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def page_of(monkeypatch, *arguments):
    """The page that report.py writes, as text."""
    monkeypatch.setattr(sys, "argv", ["report.py", *map(str, arguments), "--output", "page.html"])
    report.main()
    with open("page.html", encoding="utf-8") as stream:
        return stream.read()
