"""Files as people have them: bytes in, interactions or one sentence out."""

import gzip
import json
from decimal import Decimal

import pyarrow as pa
import pytest
from toy_files import (
    BY_NAME,
    BY_POSITION,
    NAMES,
    Written,
    by_arrow,
    json_lines,
    parquet,
    parquet_of,
    text,
    zipped,
)
from toy_sources import T, rows

from sasrec.base.errors import UserError
from sasrec.sources.local_params import Columns

ROWS = [("u1", "i1", T), ("u2", "i1", T + 1), ("u1", "i2", T + 2)]
UNTIMED = Columns(user="user", item="item", timestamp=None, rating=None, order=None)
NO_ROWS = parquet_of(pa.table({"user": [""], "item": [""], "timestamp": [1]}).slice(1))


def columns(**changes):
    return BY_NAME.model_copy(update=changes)


def times(values):
    return Written(text([("a", "x", value) for value in values]).encode())


# Name: what is written, what params say of it, and the interactions (None: those of ROWS).
READ = {
    "amazon 2014: no header": (
        Written(b"A1,0205616461,5.0,1369699200\nA1,0005616462,4.0,1369699201\n",
                columns=Columns(user=0, item=1, timestamp=3, rating=2, order=None)),
        {},
        [("A1", "0205616461", 5.0, 1369699200), ("A1", "0005616462", 4.0, 1369699201)],
    ),
    "amazon 2018: item first": (
        Written(f"i1,u1,5.0,{T}\ni1,u2,5.0,{T + 1}\ni2,u1,1.0,{T + 2}\n".encode(),
                columns=Columns(user=1, item=0, timestamp=3, rating=None, order=None)),
        {}, None,
    ),
    "movielens: :: without a header": (
        Written(text(ROWS, "::", None).encode(), ".dat", BY_POSITION), {}, None,
    ),
    "spaces": (
        Written(b"1 2\n1 3\n2 2\n", ".txt",
                Columns(user=0, item=1, timestamp=None, rating=None, order=None)),
        {}, [("1", "2", None, 1), ("1", "3", None, 2), ("2", "2", None, 3)],
    ),
    "hive: a control character": (Written(text(ROWS, "\x01").encode(), ""), {}, None),
    "a delimiter that is named": (Written(text(ROWS, "^").encode()), {"delimiter": "^"}, None),
    "several characters, named": (Written(text(ROWS, "~|~").encode()), {"delimiter": "~|~"}, None),
    "yoochoose: ISO with Z": (
        Written(b"1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,214536500,0\n",
                ".dat", Columns(user=0, item=2, timestamp=1, rating=None, order=None)),
        {}, [("1", "214536502", None, 1396867869277), ("1", "214536500", None, 1396868049868)],
    ),
    "book-crossing: semicolons, Latin-1, all quoted": (
        Written('"User-ID";"ISBN";"Book-Rating"\r\n"1";"caf\xe9";"0"\r\n"2";"2";"5"\r\n'
                .encode("latin-1"),
                columns=Columns(user="User-ID", item="ISBN", timestamp=None, rating="Book-Rating",
                                order=None)),
        {}, [("1", "caf\xe9", 0.0, 1), ("2", "2", 5.0, 2)],
    ),
    "diginetica: NA users, day dates": (
        Written(b"sessionId;userId;itemId;timeframe;eventdate\n"
                b"1;NA;81766;526309;2016-05-09\n1;7;31331;1031018;2016-05-09\n",
                columns=Columns(user="userId", item="itemId", timestamp="eventdate", rating=None,
                                order="timeframe")),
        {"missing_id": "drop"}, [("7", "31331", None, 1462752000)],
    ),
    "last.fm: tabs and stray quotes": (
        Written(b'user\titem\ttimestamp\nu1\tsay "hi\t2009-05-04T23:08:57Z\n', ".tsv"),
        {"quoted": False}, [("u1", 'say "hi', None, 1241478537)],
    ),
    "steam: Python literals": (
        Written(b"{u'user': u'u\"1', u'item': 10, u'timestamp': 1000000000, u'early': False}\n"
                b"{u'user': u\"u'2\", u'item': 10, u'timestamp': 1000000000, u'hours': 1.5}\n",
                ".json"),
        {}, [('u"1', "10", None, T), ("u'2", "10", None, T)],
    ),
    "otto: nested": (
        Written(json.dumps({"session": 1, "events": [
                    {"aid": 5, "ts": T * 1000, "type": "clicks"}, {"aid": 6, "ts": T * 1000 + 1}]})
                .encode() + b'\n{"session": 2, "events": []}\n', ".jsonl",
                columns(user="session", item="events.aid", timestamp="events.ts")),
        {"unit": "ms"}, [("1", "5", None, T * 1000), ("1", "6", None, T * 1000 + 1)],
    ),
    "lists side by side": (
        Written(b'{"user": "u", "item": ["a", "b"], "timestamp": [1000000000, 1000000001]}\n'),
        {}, [("u", "a", None, T), ("u", "b", None, T + 1)],
    ),
    "a field of an object": (
        Written(b'{"user": {"id": 7}, "item": "a", "timestamp": 1000000000}\n',
                columns=columns(user="user.id")),
        {}, [("7", "a", None, T)],
    ),
    "JSON numbers of any length": (
        Written(b'{"user": 123456789012345678901, "item": 1, "timestamp": 1000000000.438}\n'),
        {}, [("123456789012345678901", "1", None, T * 1000 + 438)],
    ),
    "one JSON list": (
        Written(json.dumps([dict(zip(NAMES, row, strict=True)) for row in ROWS], indent=1)
                .encode(), ".json"),
        {}, None,
    ),
    "JSON lists by position": (
        Written(b'["a", "x", 1000000000]\n["a", "y", 1000000001]\n', ".jsonl", BY_POSITION),
        {}, [("a", "x", None, T), ("a", "y", None, T + 1)],
    ),
    "spark: a folder of Parquet parts": (
        Written({"part-00000.snappy.parquet": parquet(ROWS[:1]),
                 "part-00001.snappy.parquet": parquet(ROWS[1:], timestamp=pa.int32())}),
        {}, None,
    ),
    "spark: an empty part": (
        Written({"a.parquet": parquet(ROWS), "b.parquet": NO_ROWS}), {}, None,
    ),
    "spark: a column in the folders' names": (
        Written({"day=2001-09-09/a.parquet": parquet([("u", "a")], NAMES[:2]),
                 "day=2001-09-10/a.parquet": parquet([("u", "b")], NAMES[:2])},
                columns=columns(timestamp="day")),
        {}, [("u", "a", None, T - 6400), ("u", "b", None, T + 80000)],
    ),
    "spark: a folder's name with a colon and an equals sign": (
        Written({"user=a%3Ab%3D/a.parquet": parquet([("x", T)], NAMES[1:])}),
        {}, [("a:b=", "x", None, T)],
    ),
    "CSV parts, one compressed": (
        Written({"1.csv": text(ROWS[:2]).encode(), "2.csv.gz": gzip.compress(text(ROWS[2:])
                .encode())}),
        {}, None,
    ),
    "decimal ids": (
        Written(parquet([(Decimal(10**20), Decimal("7.00"), T)], user=pa.decimal128(38, 0),
                        item=pa.decimal128(9, 2)), ".parquet"),
        {}, [("1" + "0" * 20, "7", None, T)],
    ),
    "UUIDs as bytes": (
        Written(parquet([(bytes(range(240, 256)), b"abcd", T)], user=pa.binary(16),
                        item=pa.binary(4)), ".parquet"),
        {}, [("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "abcd", None, T)],
    ),
    "Parquet: a row a user, with lists": (
        Written(parquet([("u", ["a", "b"], [T, T + 1]), ("v", [], []), ("x", ["c"], [T])]),
                ".parquet"),
        {}, [("u", "a", None, T), ("u", "b", None, T + 1), ("x", "c", None, T)],
    ),
    "Parquet: lists of objects": (
        Written(parquet([({"id": 1}, [{"aid": "a", "ts": T}, {"aid": "b", "ts": T + 1}])],
                        ("user", "events")), ".parquet",
                columns(user="user.id", item="events.aid", timestamp="events.ts")),
        {}, [("1", "a", None, T), ("1", "b", None, T + 1)],
    ),
    "Parquet under another name": (Written(parquet(ROWS), ".data"), {}, None),
    "excel: BOM, semicolons, decimal commas, day numbers": (
        Written("user;item;timestamp;rating\r\na;x;44017,5;4,5\r\nb;y;44018;3\r\n"
                .encode("utf-8-sig"), columns=columns(rating="rating")),
        {"time_format": "spreadsheet"},
        [("a", "x", 4.5, 1593950400), ("b", "y", 3.0, 1593993600)],
    ),
    "decimal commas without a header": (
        Written(b"a;x;4,5\nb;y;3\nc;z;2,5\n",
                columns=Columns(user=0, item=1, timestamp=None, rating=2, order=None)),
        {}, [("a", "x", 4.5, 1), ("b", "y", 3.0, 2), ("c", "z", 2.5, 3)],
    ),
    "a header like the first bytes of an ORC file": (
        Written(b"ORCID,paper\na,x\n", columns=UNTIMED.model_copy(
            update={"user": "ORCID", "item": "paper"})),
        {}, [("a", "x", None, 1)],
    ),
    "half of a pair in JSON, and a column of nothing": (
        Written(b'{"user": "\\ud800", "item": null}\n{"user": "a", "item": null}\n' * 40_000
                + b'{"user": "a", "item": "x"}\n', columns=UNTIMED),
        {"missing_id": "drop"}, [("a", "x", None, 1)],
    ),
    "excel: Unicode text": (
        Written(text(ROWS, "\t", end="\r\n").encode("utf-16"), ".txt"), {}, None,
    ),
    "UTF-16 without a mark": (Written(text(ROWS).encode("utf-16-be")), {}, None),
    "an encoding that is named": (
        Written(text([("Жук", "x", T)]).encode("cp1251")), {"encoding": "cp1251"},
        [("Жук", "x", None, T)],
    ),
    "day first": (
        times(["31.12.2020", "1/2/2021 9:05", "01-02-2021 10:00:01.5"]),
        {"time_format": "day_first"},
        [("a", "x", None, ms) for ms in (1609372800000, 1612170300000, 1612173601500)],
    ),
    "month first": (
        times(["12/31/2020", "1/2/2021 9:05"]), {"time_format": "month_first"},
        [("a", "x", None, 1609372800), ("a", "x", None, 1609578300)],
    ),
    "dates as digits": (
        times(["20201231", "2020123114", "202012311405", "20201231140506"]),
        {"time_format": "compact"},
        [("a", "x", None, 1609372800 + s) for s in (0, 50400, 50700, 50706)],
    ),
    "a pattern": (
        times(["31 Dec 2020 09:05 PM", "01 Jan 2021 10:00 AM"]),
        {"time_format": "%d %b %Y %I:%M %p"},
        [("a", "x", None, 1609448700), ("a", "x", None, 1609495200)],
    ),
    "kuairec: times missing in some rows": (
        times([f"{T}.438", "", "NaN", "0", "0000-00-00 00:00:00"]), {"missing_time": "drop"},
        [("a", "x", None, T * 1000 + 438)],
    ),
    "times missing in Parquet": (
        Written(parquet([("a", "x", 1e9), ("a", "y", float("nan")), ("a", "z", None)]), ".parquet"),
        {"missing_time": "drop"}, [("a", "x", None, T)],
    ),
    "times missing in Parquet, unsigned": (
        Written(parquet([("a", "x", T), ("a", "y", 0)], timestamp=pa.uint32()), ".parquet"),
        {"missing_time": "drop"}, [("a", "x", None, T)],
    ),
    "times missing in Parquet, decimal": (
        Written(parquet([("a", "x", Decimal(T)), ("a", "y", Decimal(0)), ("a", "z", Decimal(-1))],
                        timestamp=pa.decimal128(10, 0)), ".parquet"),
        {"missing_time": "drop"}, [("a", "x", None, T)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_a_file_is_read(tmp_path, name):
    written, changes, expected = READ[name]
    found = rows(written.read(tmp_path, **changes))
    assert found == (expected or [(user, item, None, time) for user, item, time in ROWS])


REFUSED = {
    "no header, columns by name": (
        Written(text(ROWS, header=None).encode()), {},
        "mine: no column 'user'; its columns are 'u1', 'i1', '1000000000' (if the first line is a "
        "row and no header, give data.columns by position, from 0: user: 0, item: 1, …)",
    ),
    "a header, columns by position": (
        Written(text(ROWS).encode(), columns=BY_POSITION), {},
        "mine, line 1: looks like a header ('user', 'item', 'timestamp'), not like the rows below",
    ),
    "positions in Parquet": (
        Written(parquet(ROWS), ".parquet", BY_POSITION), {}, "Parquet, which names its columns"),
    "too few fields for a position": (
        Written(b"a,x\nb,y\n", columns=BY_POSITION), {"delimiter": "comma"},
        "mine, line 1: 2 fields, expected 3 for 'column 2'",
    ),
    "no delimiter fits": (
        Written(b"a x\nb y z\nc\n", columns=BY_POSITION), {}, "mine, line 1: no delimiter cuts 'a"),
    "two delimiters fit": (
        Written(b"1;2,3\n1;3,4\n", columns=Columns(user=0, item=1, timestamp=None, rating=None,
                                                  order=None)),
        {}, "mine: fields may be cut by ';' or ',': name it in data.delimiter"),
    "a stray quote, by position": (
        Written(text(ROWS, "\t", None).encode() + b'u\t"i\t1000000000\n', columns=BY_POSITION), {},
        "mine, line 4: a quote is never closed; if quotes are plain characters in this file, set"),
    "a note for Excel": (
        Written(b"sep=;\nuser;item;timestamp\n"), {}, "line 1: 'sep=;' is a note for Excel: rem"),
    "the wrong delimiter": (
        Written(text(ROWS).encode()), {"delimiter": "semicolon"},
        "mine: no column 'user'; its columns are 'user,item,timestamp'"),
    "the wrong encoding": (
        Written(text([("é", "x", T)]).encode("latin-1")), {"encoding": "utf-8"},
        "mine, line 2: not UTF-8 text; name another one in data.encoding"),
    "UTF-16 that is none": (
        Written(text(ROWS).encode()), {"encoding": "utf-16"}, "mine, line 1: not UTF-16 text;"),
    "a damaged gz": (
        Written(gzip.compress(text(ROWS * 999).encode())[:-30]), {}, "mine is damaged: Truncated"),
    "a damaged zst": (
        Written(by_arrow("zstd")(text(ROWS * 999).encode())[:-9]), {}, "mine is damaged: "),
    "a zip of two files": (
        Written(zipped(b"a", b"b")), {}, "mine is a zip of 2 files ('0.csv', '1.csv'):"),
    "an Excel workbook": (
        Written(b"\xd0\xcf\x11\xe0" + bytes(99), ".xls"), {}, "mine is an Excel workbook: save"),
    "a web page": (
        Written(b"<!DOCTYPE html>\n<html>"), {}, "mine is a web page or XML: get the file itself"),
    "an SQLite database": (
        Written(b"SQLite format 3\0" + bytes(99)), {}, "mine is an SQLite database: export"),
    "an ORC file": (Written(b"ORC\n\x06\x12\x04\x08\x01P\0"), {}, "mine is an ORC file: export"),
    "a pickle": (Written(b"\x80\x05" + bytes(99)), {}, "mine is a Python pickle: export"),
    "nothing in it": (Written(gzip.compress(b""), ".csv.gz"), {}, "mine is empty"),
    "files of two kinds": (
        Written({"a.csv": text(ROWS).encode(), "b.parquet": parquet(ROWS)}), {},
        "mine: expected files of one kind, but mine, b.parquet is parquet, and mine, a.csv is"),
    "Parquet lists of different lengths": (
        Written(parquet([("u", ["a", "b"], [T])]), ".parquet"), {},
        "mine: the lists of 'item' and 'timestamp' differ in length, expected as many"),
    "a wrong value in a Parquet list": (
        Written(parquet([("u", ["a"], [T]), ("v", ["b", "c"], [T, 7])]), ".parquet"), {},
        "mine, row 2: 'timestamp' is 7, expected a time"),
    "types that do not go together": (
        Written({"a.parquet": parquet(ROWS), "b.parquet": parquet([(1, "x", T)])}), {},
        "mine: the column 'user' has type large_string in a.parquet and int64 in b.parquet; write"),
    "a wrong value in a part": (
        Written({"a.csv": text(ROWS).encode(), "b.csv": text([("a", "x", "soon")]).encode()}), {},
        "mine, b.csv, line 2: 'timestamp' is 'soon', expected a time"),
    "a part without a header": (
        Written({"a.csv": text(ROWS).encode(), "b.csv": text(ROWS, header=None).encode()}), {},
        "mine, b.csv: no column 'user'; its columns are 'u1', 'i1', "),
    "no JSON": (
        Written(json_lines(ROWS) + b"{oops\n"), {},
        "mine, line 4: no JSON (Expecting property name enclosed in double quotes), expected one"),
    "a JSON value": (Written(json_lines(ROWS) + b"7\n"), {}, "line 4: '7', expected a record"),
    "a JSON field that is nowhere": (
        Written(json_lines(ROWS), columns=columns(user="u")), {},
        "mine: no column 'u'; its columns are 'user', 'item', 'timestamp'"),
    "a JSON field that is missing once": (
        Written(json_lines(ROWS) + b'\n{"user": 1, "item": 2}\n'), {},
        "mine, line 5: 'timestamp' is missing; data.missing_time: drop leaves such rows out"),
    "a JSON truth value": (
        Written(b'{"user": true, "item": 1, "timestamp": 1}\n'), {},
        "mine, line 1: 'user' is true, expected text or a number"),
    "a JSON object": (
        Written(b'{"user": {"id": 1}, "item": 1, "timestamp": 1}\n'), {},
        "mine, line 1: 'user' is an object, expected text or a number; name a field of it"),
    "JSON lists of different lengths": (
        Written(b'{"user": [1, 2], "item": [1], "timestamp": 1}\n'), {},
        "mine, line 1: lists of 1 and 2 entries, expected as many in each"),
    "a damaged JSON list": (Written(b'[{"user": 1},'), {}, "mine is no JSON: Expecting value"),
    "a JSON list in lists in lists": (
        Written(b"[" * 99_999, ".json"), {}, "mine is too deeply nested"),
    "a null in place of a Parquet list": (
        Written(parquet([("u", ["a"]), ("v", None)], NAMES[:2]), ".parquet", UNTIMED), {},
        "mine, row 2: 'item' is missing; data.missing_id: drop"),
    "a null in place of a JSON list": (
        Written(json_lines([("u", ["a"]), ("v", None)], NAMES[:2]), columns=UNTIMED), {},
        "mine, line 2: 'item' is missing; data.missing_id: drop"),
    "a date with the day first": (
        times(["31.12.2020"]), {}, "'31.12.2020', expected a number or an ISO 8601 date; set "
        "data.time_format: day_first"),
    "a date with the month first": (
        times(["1/2/2020", "1/13/2020"]), {}, "set data.time_format: month_first"),
    "a date that may be either": (
        times(["1/2/2020"]), {}, "set data.time_format: day_first or month_first"),
    "another date": (times(["Dec 31, 2020"]), {}, "for dates in another form set data.time_format"),
    "month first, named day first": (
        times(["1/2/2020", "1/13/2020"]), {"time_format": "day_first"},
        "line 3: 'timestamp' is '1/13/2020', expected an ISO 8601 date"),
    "digits that are no date": (
        times(["2020123"]), {"time_format": "compact"},
        "'2020123', expected a date such as 20201231, 2020123114 or 20201231140500 (data.time_f"),
    "no day number": (
        times(["44017", "7"]), {"time_format": "spreadsheet"},
        "line 3: 'timestamp' is '7', expected a day number from 25569 to 73050 (data.time_format"),
    "a wrong pattern": (
        times(["2020"]), {"time_format": "%Q"}, "data.time_format = '%Q': 'Q' is a bad directive"),
    "a pattern with a part twice": (
        times(["2020"]), {"time_format": "%d%d"}, "data.time_format = '%d%d': redefinition of"),
    "a value unlike the pattern": (
        times(["31 Dec 2020", "soon"]), {"time_format": "%d %b %Y"},
        "line 3: 'timestamp' is 'soon', expected a time like '%d %b %Y' (data.time_format)"),
    "a missing id": (
        Written(text([("", "x", T)]).encode()), {},
        "mine, line 2: 'user' is missing; data.missing_id: drop leaves such rows out, and counts"),
    "no row with a time": (
        times(["", "NA"]), {"missing_time": "drop"}, "mine, line 2: this row and all others lack"),
    "thousands or decimals": (
        Written(b"user;item;timestamp;rating\na;x;1000000000;1,234\n",
                columns=columns(rating="rating")),
        {}, "line 2: 'rating' is '1,234', expected a finite number"),
    "decimal ids with a part behind the point": (
        Written(parquet([(Decimal("7.5"), 1, T)]), ".parquet"), {},
        "mine, row 1: 'user' is 7.5, expected a whole number or text"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_in_one_sentence(tmp_path, name):
    written, changes, message = REFUSED[name]
    with pytest.raises(UserError) as error:
        written.read(tmp_path, **changes)
    assert message in str(error.value)
    assert str(error.value).startswith(("mine", "data."))
    assert str(error.value).isprintable()


def test_what_was_left_out_is_counted(tmp_path):
    content = text([("a", "x", T), ("", "y", T), ("a", "z", ""), ("NA", "", "0")])
    source = Written(content.encode()).read(tmp_path, missing_id="drop", missing_time="drop")
    assert rows(source) == [("a", "x", None, T)]
    assert source.left_out == {"repeated_headers": 0, "missing_id": 2, "missing_time": 1}


@pytest.mark.parametrize("written", [json_lines, parquet])
def test_lists_that_are_null_are_counted_and_empty_ones_are_not(tmp_path, written):
    content = written([("u", ["a", None]), ("v", None), ("w", [])], NAMES[:2])
    source = Written(content, "", UNTIMED).read(tmp_path, missing_id="drop")
    assert rows(source) == [("u", "a", None, 1)]
    assert source.left_out["missing_id"] == 2


def test_lines_are_counted_over_what_was_left_out(tmp_path):
    content = text([("a", "x", T), ("", "y", T), NAMES, ("a", "z", "soon")])
    with pytest.raises(UserError, match="mine, line 5: 'timestamp' is 'soon'"):
        Written(content.encode()).read(tmp_path, missing_id="drop")


@pytest.mark.parametrize(
    ("users", "notice"),
    [
        (["007", "7"], "1 ids of 'user' differ from another one only in zeros before them, as "
         "'007' from '7'; they count as different"),
        (["0", "00"], "as '00' from '0'"),
        (["42", " 42 "], "differ from another one only in spaces or in characters that cannot be "
         "seen, as ' 42 ' from '42'"),
    ],
)  # fmt: skip
def test_padded_ids_are_noticed(tmp_path, users, notice):
    source = Written(text([(user, "x", T) for user in users]).encode()).read(tmp_path)
    assert notice in source.notices[0]


def test_another_encoding_is_told_with_an_example(tmp_path):
    source = Written(text([("a", "x", T), ("café", "y", T)]).encode("cp1252")).read(tmp_path)
    assert source.notices == (
        "mine is not UTF-8: it is read as Windows-1252 (line 3: 'café,y,1000000000'); if that "
        "looks wrong, name the encoding in data.encoding",
    )
    source = Written(text([("\x81", "x", T)]).encode("latin-1")).read(tmp_path)
    assert "it is read as Latin-1 (line 2:" in source.notices[0]
