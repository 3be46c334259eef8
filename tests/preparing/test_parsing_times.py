"""Times of the user's own file: exact, in the source's unit; what cannot be right is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_sources import ALL, T, local, rows

from sasrec.base.errors import UserError
from sasrec.preparing.cleaning import clean
from sasrec.sources.params import DataParams

HEADER = "user,item,rating,timestamp\n"
MS, US, NS = 10**3, 10**6, 10**9


def read(folder, values, unit="s"):
    content = HEADER + "".join(f"a,x,1,{value}\n" for value in values)
    data = local(folder, content, unit=unit).interactions
    return data.timestamp.tolist(), data.time_unit


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [
        ("s", [f"{T}"], ([T], "s")),
        ("s", [f"{T}.000", f"{T + 1}"], ([T, T + 1], "s")),
        ("s", ["8.81250949e8", "8.812509500000000000e+08"], ([881250949, 881250950], "s")),
        ("s", [f"{T}.438", f"{T}"], ([T * MS + 438, T * MS], "ms")),
        ("s", [f"{T}.4380", f"{T}.0001"], ([T * US + 438000, T * US + 100], "us")),
        ("s", [f"{T}.123456789"], ([T * NS + 123456789], "ns")),
        ("s", [f" +{T} ", f"{T}."], ([T, T], "s")),
        ("ms", [f"{T}000", f"{T}001"], ([T * MS, T * MS + 1], "ms")),
        ("ms", [f"{T}000", f"{T}000.25"], ([T * US, T * US + 250], "us")),
        ("us", [f"{T}000001"], ([T * US + 1], "us")),
        ("ns", ["4102444799999999999", f"{T}000000001"],
         ([4102444799999999999, T * NS + 1], "ns")),
        ("s", ["2001-09-09T01:46:40"], ([T], "s")),
        ("ms", ["2001-09-09T01:46:40Z"], ([T], "s")),
        ("s", ["2001-09-09 01:46:40.5", "2001-09-09"], ([T * MS + 500, T * MS - 6400000], "ms")),
        ("s", ["2001-09-09 01:46:40.250000"], ([T * MS + 250], "ms")),
        ("s", ["2001-09-09T01:46:40.000001Z"], ([T * US + 1], "us")),
        ("s", ["2001-09-09T01:46:40.000000001"], ([T * NS + 1], "ns")),
        ("s", ["2001-09-09T03:46:40+02:00"], ([T], "s")),
        ("s", ["2001-09-09T01:46:40", "2001-09-09T03:46:40.5+02:00"],
         ([T * MS, T * MS + 500], "ms")),
        ("s", ["2001-09-09T01:46", "2001-09-09T01:46:40.123456789Z"],
         ([(T - 40) * NS, T * NS + 123456789], "ns")),
        ("s", ["1971-01-01", "2099-12-31T23:59:59"], ([31536000, 4102444799], "s")),
    ],
)  # fmt: skip
def test_times_are_kept_exactly(tmp_path, unit, values, expected):
    assert read(tmp_path, values, unit) == expected


@pytest.mark.parametrize(
    ("unit", "values", "message"),
    [
        ("s", ["soon"], "line 2: 'timestamp' is 'soon', expected a time as a number (data.time_u"),
        ("s", [T, "1.37E+09"], "line 3: 'timestamp' is '1.37E+09', expected all digits: some were "
         "lost, export it as text"),
        ("ms", ["1.37e12"], "'1.37e12', expected all digits"),
        ("s", [T, ""], "line 3: 'timestamp' is missing"),
        ("s", ["nan"], "line 2: 'timestamp' is 'nan', expected a time as a number"),
        ("s", ["1e300"], "line 2: 'timestamp' is '1e300', expected a time as a number"),
        ("s", [T, "0x3B9ACA00"], "line 3: 'timestamp' is '0x3B9ACA00', expected a time as"),
        ("s", [T, f"{T}.1234567891"], "line 3: 'timestamp' is '1000000000.1234567891', expected a "
         "time as a number (data.time_unit: s, up to 9 decimals) or as an ISO 8601 date"),
        ("ms", [f"{T}000.1234567"], "(data.time_unit: ms, up to 6 decimals)"),
        ("ns", [f"{T}000000000.5"], "no decimals"),
        ("s", ["-1"], "line 2: 'timestamp' is '-1', expected a time from 1971 to 2099"),
        ("s", ["31535999"], "'31535999', expected a time from 1971 to 2099; if the numbers only"),
        ("s", ["4102444800"], "line 2: 'timestamp' is '4102444800', expected a time from 1971"),
        ("s", ["0"], "'0', expected a time from 1971 to 2099 (a missing time, written as 0?)"),
        ("s", [T, "7"], "line 3: 'timestamp' is '7', expected a time from 1971 to 2099; if the "
         "numbers only order rows, name the column in data.columns.order and set "
         "data.columns.timestamp: null"),
        ("ms", ["1369699200"], "with data.time_unit: s it would be 2013-05-28"),
        ("s", ["881250949000"], "with data.time_unit: ms it would be 1997-12-04"),
        ("s", ["881250949000.5"], "with data.time_unit: ms it would be 1997-12-04"),
        ("ms", ["881250949000000"], "with data.time_unit: us it would be 1997-12-04"),
        ("s", ["881250949000000000"], "with data.time_unit: ns it would be 1997-12-04"),
        ("s", ["20200705"], "it looks like YYYYMMDD: set data.time_format: compact"),
        ("ms", ["20200705"], "it looks like YYYYMMDD:"),
        ("s", ["20200705123456"], "it looks like YYYYMMDDhhmmss:"),
        ("s", ["202007051234"], "it looks like YYYYMMDDhhmm:"),
        ("s", ["44017"], "as a spreadsheet's day number it would be 2020-07-05: set "
         "data.time_format: spreadsheet"),
        ("s", ["44017.75"], "as a spreadsheet's day number it would be 2020-07-05"),
        ("s", [f"20200705{hour:02}" for hour in range(5)],
         "line 2: 'timestamp' is '2020070500', and like it all look like YYYYMMDDhh"),
        ("ms", [f"2020070512{minute:02}" for minute in range(5)], "all look like YYYYMMDDhhmm:"),
        ("s", ["1970-01-01"], "line 2: 'timestamp' is '1970-01-01', expected a time from 1971 to "
         "2099 (a missing time, written as 0?)"),
        ("s", ["1970-12-31T23:59:59"], "(a missing time, written as 0?)"),
        ("s", ["2001-09-09", "1969-12-31"], "line 3: 'timestamp' is '1969-12-31', expected a time"),
        ("s", ["2100-01-01"], "expected a time from 1971 to 2099"),
        ("s", ["9999-12-31T23:59:59.5"], "expected a time from 1971 to 2099"),
        ("s", ["2001-09-09", "now"], "line 3: 'timestamp' is 'now', expected an ISO 8601 date"),
        ("s", ["2001-09-09", "2001-13-01"], "line 3: 'timestamp' is '2001-13-01', expected an ISO"),
        ("s", ["2001-09-09", T], "line 3: 'timestamp' is '1000000000', expected an ISO 8601 date"),
        ("s", ["2001-09-09", "2001-09"], "line 3: 'timestamp' is '2001-09', expected an ISO"),
        ("s", ["2001-9-9"], "'2001-9-9', expected an ISO 8601 date such as 2024-03-01T08:00:00Z"),
        ("s", ["2001-09-09", "2001-09-09T01:46:40.1234567891Z"], "line 3: 'timestamp' is "
         "'2001-09-09T01:46:40.1234567891Z', expected an ISO 8601 date such as "
         "2024-03-01T08:00:00Z, with at most 9 decimals"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_what_it_may_be(tmp_path, unit, values, message):
    with pytest.raises(UserError) as error:
        read(tmp_path, values, unit)
    assert message in str(error.value)
    if "-" in str(values[0])[1:]:  # no unit makes sense of a date
        assert "time_unit" not in str(error.value)


def test_numbers_that_look_like_dates_now_and_then_are_times(tmp_path):
    values = [2020070512, 2020070513, 2020070514, 2020070515, 2020070599]
    assert read(tmp_path, values) == (values, "s")
    assert read(tmp_path, values[:4]) == (values[:4], "s")


decimals = st.decimals(31_536_000, 4_102_444_799, places=9) | st.decimals(
    31_536_000, 4_102_444_799, places=3
)


@given(st.lists(decimals, min_size=1, max_size=8))
def test_no_decimal_is_rounded(tmp_path_factory, values):
    found, unit = read(tmp_path_factory.mktemp("times"), values)
    per_second = {"s": 1, "ms": MS, "us": US, "ns": NS}[unit]
    assert [Decimal(value) / per_second for value in found] == values
    if unit != "s":  # no coarser unit would do
        assert any(value % 1000 for value in found)


def test_events_of_one_second_keep_their_order_and_all_stay(tmp_path):
    content = HEADER + "".join(
        f"u1,{item},1,1700000{time}\n"
        for item, time in [("c", "000900"), ("a", "000100"), ("b", "000500"), ("a", "000700"),
                           ("d", "002000"), ("d", "002000")]
    )  # fmt: skip
    data = local(tmp_path, content, unit="ms").interactions
    params = DataParams.model_construct(min_rating=None, filter="once", min_interactions=1)
    cleaned, dropped = clean(data, params)
    assert [cleaned.item_ids[code] for code in cleaned.item] == ["a", "b", "a", "c", "d"]
    assert dropped == {"min_rating": 0, "duplicates": 1, "min_interactions": 0}


def test_rows_that_differ_in_order_numbers_are_ordered_by_them(tmp_path):
    content = "user,item,rating,timestamp,n,k\n" + "".join(
        f"u,{item},1,{T},{n},{k}\n"
        for item, n, k in [("c", 2, 1), ("b", 1, 10), ("a", 1, 9.5), ("a", 1, 9.5), ("c", 2, 0)]
    )
    columns = ALL.model_copy(update={"order": ["n", "k"]})
    params = DataParams.model_construct(min_rating=None, filter="once", min_interactions=1)
    for timestamp in ("timestamp", None):
        layout = columns.model_copy(update={"timestamp": timestamp})
        cleaned, dropped = clean(local(tmp_path, content, layout).interactions, params)
        assert [cleaned.item_ids[code] for code in cleaned.item] == ["a", "b", "c", "c"]
        assert dropped["duplicates"] == 1
        assert cleaned.has_timestamps == (timestamp is not None)
    with pytest.raises(UserError, match=r"line 3: 'n' is '9007199254740993\.5', expected a num"):
        local(tmp_path, content.replace("b,1,1000000000,1", f"b,1,{T},9007199254740993.5"), columns)
    with pytest.raises(UserError, match=r"line 3: 'n' is '3\.91E[+]16', expected all digits"):
        local(tmp_path, content.replace("b,1,1000000000,1", f"b,1,{T},3.91E+16"), columns)
    assert len(rows(local(tmp_path, content, columns))) == 5
