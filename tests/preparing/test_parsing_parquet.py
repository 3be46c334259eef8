"""Reading the user's own Parquet file, right and wrong input."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_sources import T, data_params, rows

from sasrec.base.errors import UserError
from sasrec.preparing.parsing import read_local

GOOD = {"user": [7, 5], "item": [1, 1], "rating": [2.0, 2.0], "timestamp": [T, T + 1]}


def read(folder, unit="s", **columns):
    table = pa.table(GOOD | columns)
    pq.write_table(table, folder / "interactions.parquet")
    return read_local(folder, data_params(unit=unit), "mine.parquet")


def binary(*values):
    """A column of the type string, whatever its bytes are."""
    return pa.array(values, pa.binary()).view(pa.string())


@pytest.mark.parametrize(
    "users",
    [
        pa.array([7, 5], pa.uint8()),
        pa.array([7.0, 5.0]),
        pa.array([7.0, 5.0], pa.float16()),
        pa.array(["7", "5"]),
        pa.array(["7", "5"], pa.large_string()),
        pa.array(["7", "5"], pa.string_view()),
        pa.array([b"7", b"5"], pa.binary()),
        pa.array([b"7", b"5"], pa.large_binary()),
        pa.array([b"7", b"5"], pa.binary_view()),
        pa.array(["7", "5"]).dictionary_encode(),
        pa.array([7, 5]).dictionary_encode(),
        pa.chunked_array([pa.array(["7"]), pa.array(["5"])]),
        pa.chunked_array([pa.array(["7", "8"]).dictionary_encode()[:1],
                          pa.array(["5", "7"]).dictionary_encode()[:1]]),
    ],
    ids=lambda array: str(array.type),
)  # fmt: skip
def test_types_of_ids(tmp_path, users):
    assert [row[0] for row in rows(read(tmp_path, user=users))] == ["7", "5"]


@pytest.mark.parametrize(
    ("unit", "times", "expected"),
    [
        ("s", [T, T + 1], ([T, T + 1], "s")),
        ("ms", pa.array([T * 1000, T * 1000 + 1], pa.uint64()), ([T * 1000, T * 1000 + 1], "ms")),
        ("s", [float(T), T + 1.0], ([T, T + 1], "s")),
        ("s", [T + 0.438, T], ([T * 1000 + 438, T * 1000], "ms")),
        ("ms", [T * 1e3 + 0.25, T * 1e3], ([T * 10**6 + 250, T * 10**6], "us")),
        ("s", [Decimal(f"{T}.10"), Decimal(f"{T}.25")], ([T * 1000 + 100, T * 1000 + 250], "ms")),
        ("ms", [Decimal(f"{T}000"), Decimal(f"{T}001")], ([T * 1000, T * 1000 + 1], "ms")),
        ("s", [f"{T}", f"{T}.5"], ([T * 1000, T * 1000 + 500], "ms")),
        ("s", ["2001-09-09", "2001-09-10"], ([T - 6400, T + 80000], "s")),
        ("ms", pa.array([T, T + 1], pa.timestamp("s")), ([T, T + 1], "s")),
        ("s", pa.array([T * 1000, T * 1000 + 1], pa.timestamp("ms", "Europe/Berlin")),
         ([T * 1000, T * 1000 + 1], "ms")),
        ("s", pa.array([T * 10**9, T * 10**9 + 1], pa.timestamp("ns")),
         ([T * 10**9, T * 10**9 + 1], "ns")),
        ("s", pa.array([11574, 11575], pa.date32()), ([T - 6400, T + 80000], "s")),
        ("s", pa.array([11574 * 86400000, 11575 * 86400000], pa.date64()),
         ([T - 6400, T + 80000], "s")),
    ],
)  # fmt: skip
def test_times_keep_their_unit(tmp_path, unit, times, expected):
    data = read(tmp_path, unit, timestamp=times).interactions
    assert (data.timestamp.tolist(), data.time_unit) in (expected, seconds_as_written(expected))


def seconds_as_written(expected):
    """Parquet has no time stamps in seconds: Arrow writes them as milliseconds."""
    return [value * 1000 for value in expected[0]], "ms"


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("user", ["a", None], ", row 2: 'user' is missing"),
        ("user", pa.nulls(2), ", row 1: 'user' is missing"),
        ("user", [1.0, 2.5], ", row 2: 'user' is 2.5, expected a whole number or text"),
        ("user", [1.0, np.inf], ", row 2: 'user' is inf, expected a whole number or text"),
        ("user", [1.0, 2.0**53], ", row 2: 'user' is 9007199254740992.0, but type double keeps "
         "whole numbers only below 9007199254740992; digits were lost: export ids as text"),
        ("user", pa.array([1.0, 2.0**25], pa.float32()), ", row 2: 'user' is 33554432.0, but"),
        ("user", ["1", "3.91E+16"], ", row 2: 'user' is '3.91E+16', as spreadsheets show"),
        ("user", [[[1]], [[2]]], ": the column 'user' has lists in lists"),
        ("user", [{"a": 1}, {"a": 2}], ": the column 'user' is nested, with the fields a: name one "
         "of them, as user.a"),
        ("user", pa.array([[(1, 2)], []], pa.map_(pa.int8(), pa.int8())), ": the column 'user' is "
         "nested (map<"),
        ("user", [True, False], ", row 1: 'user' has type bool, expected text or whole numbers"),
        ("user", pa.array([1, 2], pa.date32()), ", row 1: 'user' has type date32[day], expected"),
        ("user", binary(b"a", b"\xff\x1b"), r", row 2: 'user' is b'\xff\x1b', which is not UTF-8"),
        ("item", pa.array([b"a", b"\xe9"], pa.binary_view()), r", row 2: 'item' is b'\xe9', which"),
        ("user", binary(b"\xff", b"a").dictionary_encode(), ", row 1: 'user' is b'"),
        ("rating", [1.0, np.inf], ", row 2: 'rating' is inf, expected a finite number"),
        ("rating", [True, False], ", row 1: 'rating' has type bool, expected a finite number"),
        ("rating", ["1", "\x1b[31m"], r", row 2: 'rating' is '\x1b[31m', expected a finite"),
        ("timestamp", [T, -2], ", row 2: 'timestamp' is -2, expected a time from 1971 to 2099"),
        ("timestamp", [T, 1e12], ", row 2: 'timestamp' is 1000000000000.0, expected a time from "
         "1971 to 2099; with data.time_unit: ms it would be 2001-09-09"),
        ("timestamp", [T, np.nan], ", row 2: 'timestamp' is nan, expected a time as a number"),
        ("timestamp", pa.array([T, 2**64 - 1], pa.uint64()), ", row 2: 'timestamp' is 18446744073"),
        ("timestamp", [Decimal(T), Decimal("1e25")], ", row 2: 'timestamp' is 100000000000000000"),
        ("timestamp", np.float32([T, T]), ", row 1: 'timestamp' has type float, expe"),
        ("timestamp", [True, False], ", row 1: 'timestamp' has type bool, expected a time: a numb"),
        ("timestamp", pa.array([1, 2], pa.time32("s")), ", row 1: 'timestamp' has type time32[ms]"),
        ("timestamp", pa.array([1, 2], pa.duration("s")), ", row 1: 'timestamp' has type duration"),
        ("timestamp", pd.to_datetime(["2000-01-01", "1960-01-01"]), ", row 2: 'timestamp' is 1960"),
        ("timestamp", pa.array([T * 1000, 2**62], pa.timestamp("ms")), ", row 2: 'timestamp' is"),
        ("timestamp", pa.array([T, 2**62], pa.timestamp("us", "Nowhere/At")), ", row 1: 'timesta"),
        ("timestamp", pa.array([T * 1000, -1], pa.timestamp("ms")), "1969-12-31T23:59:59.999, exp"),
        ("timestamp", pa.array([11574, 2**31 - 1], pa.date32()), ", row 2: 'timestamp' is 5881580"),
        ("timestamp", [[T], [2]], ", row 2: 'timestamp' is 2, expected a time"),
        ("timestamp", ["2001-09-09", "9999-12-31"], ", row 2: 'timestamp' is '9999-12-31', expec"),
    ],
)  # fmt: skip
def test_wrong_values(tmp_path, column, values, message):
    with pytest.raises(UserError) as error:
        read(tmp_path, **{column: values})
    assert str(error.value).startswith("mine.parquet, row") or ": the column" in str(error.value)
    assert message in str(error.value)
    assert str(error.value).isprintable()


def test_old_time_stamps_keep_ns_and_do_not_wrap(tmp_path):
    """INT96, as Spark writes; in ns the year 2600 would turn up as 2015."""
    path = tmp_path / "interactions.parquet"
    for times, unit in ([T * 10**9, T * 10**9 + 5], "ns"), ([T * 10**6, 19880899200 * 10**6], "us"):
        table = pa.table(GOOD | {"timestamp": pa.array(times, pa.timestamp(unit))})
        pq.write_table(table, path, use_deprecated_int96_timestamps=True)
        if unit == "ns":
            data = read_local(tmp_path, data_params(), "mine.parquet").interactions
            assert (data.timestamp.tolist(), data.time_unit) == (times, "ns")
        else:
            with pytest.raises(UserError, match="row 2: 'timestamp' is 2600-01-01T00:00:00"):
                read_local(tmp_path, data_params(), "mine.parquet")


def test_files_that_are_not_parquet(tmp_path):
    path = tmp_path / "interactions.parquet"
    for content in (b"user,item\n1,2\n", b"PAR1", b"PAR1PAR1"):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"^mine\.parquet is not a readable Parquet file: "):
            read_local(tmp_path, data_params(), "mine.parquet")


def test_a_damaged_page_is_one_sentence(tmp_path):
    table = pa.table({name: values * 5000 for name, values in GOOD.items()})
    path = tmp_path / "interactions.parquet"
    pq.write_table(table, path, compression="gzip", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[300:400] = b"\xff" * 100
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"^mine\.parquet is not a readable Parquet file: "
    ) as error:
        read_local(tmp_path, data_params(), "mine.parquet")
    assert "\n" not in str(error.value)


def test_a_file_without_rows_or_columns(tmp_path):
    with pytest.raises(UserError, match=r"mine\.parquet has no rows"):
        read(tmp_path, **{name: pa.array([], pa.int64()) for name in GOOD})
    table = pa.table({"user ": [1], "item": [1]})
    pq.write_table(table, tmp_path / "interactions.parquet")
    with pytest.raises(UserError, match="no column 'user'; its columns are 'user ', 'item'"):
        read_local(tmp_path, data_params(), "mine.parquet")
