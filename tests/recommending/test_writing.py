"""Tables written in each format, read back by those who read such files."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from sasrec.base.errors import UserError
from sasrec.recommending import writing
from sasrec.recommending.writing import WRITERS, csv_to, json_to, text_to, writer_of

WHY = [{"item": "-5", "title": 'A "b", c', "lost": 0.25}, {"item": "7", "title": "", "lost": None}]
FIRST = {
    "user": ["u,1", "u,1", "u2"],
    "rank": [1, 2, 1],
    "item": ["-5", "007", "é\n"],
    "title": ['A "b", c', "", "Ü"],
    "score": np.array([5.2064023, 1.0, 3.0], np.float32),
    "by": ["model", "model", "popularity"],
    "why": pd.Series([WHY, [], []], dtype=object),
}
TABLES = [pd.DataFrame(FIRST), pd.DataFrame(FIRST | {"user": ["u3", "u3", "u4"]})]
ROWS = pd.concat(TABLES, ignore_index=True)


def read_csv(path):
    texts = dict.fromkeys(("user", "item", "title"), str)
    table = pd.read_csv(path, dtype=texts, keep_default_na=False)
    return table.assign(why=table["why"].map(json.loads))


def read_parquet(path):
    table = pq.read_table(path)
    assert [str(kind) for kind in table.schema.types[:6]] == [
        *("string", "int32", "string", "string", "float", "string")
    ]
    return table.to_pandas().assign(why=[row["why"] for row in table.to_pylist()])


def read_lines(path):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return pd.DataFrame(
        [
            {"user": record["user"]} | item | {"by": record["by"]}
            for record in records
            for item in record["items"]
        ]
    )


READERS = {".csv": read_csv, ".parquet": read_parquet, ".jsonl": read_lines}


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("rows", [1 << 17, 2])
def test_what_is_written_is_read(tmp_path, monkeypatch, suffix, rows) -> None:
    monkeypatch.setattr(writing, "ROWS", rows)
    path = tmp_path / f"recs{suffix}"
    with writer_of(Path(f"recs{suffix.upper()}"))(path) as write:
        for table in TABLES:
            write(table)
    found = READERS[suffix](path)[list(ROWS)]
    assert found["score"].astype("float32").tolist() == ROWS["score"].tolist()
    for name in set(ROWS) - {"score"}:
        assert found[name].tolist() == ROWS[name].tolist(), name


@pytest.mark.parametrize("name", ["recs", "recs.xlsx", "recs.csv.gz"])
def test_a_name_that_says_no_format_is_refused(name) -> None:
    with pytest.raises(UserError, match=r"ends in \.csv or \.parquet or \.jsonl"):
        writer_of(Path(name))


def test_json_of_a_typed_history_is_one_line_of_short_numbers() -> None:
    stream = io.StringIO()
    json_to(stream)(TABLES[0][["rank", "item", "score"]].head(2))
    line = '{"items": [{"rank": 1, "item": "-5", "score": 5.2064023}, {"rank": 2, '
    assert stream.getvalue() == line + '"item": "007", "score": 1.0}]}\n'


def test_lines_for_people_move_no_terminal() -> None:
    stream = io.StringIO()
    text_to(stream)(TABLES[0].head(2).replace({"item": {"007": "\x1b[2J"}}))
    header, first, why, second = stream.getvalue().splitlines()
    assert header.split() == ["rank", "item", "title", "score"]
    assert first.split()[:2] == ["1", "-5"]
    assert why.strip() == 'because of A "b", c (0.25), 7 (the only item)'
    assert second.split() == ["2", "\\x1b[2J", "1.000000"]
    stream = io.StringIO()
    csv_to(stream, shown=True)(TABLES[0].drop(columns="why"))
    assert "é\\n" in stream.getvalue()
