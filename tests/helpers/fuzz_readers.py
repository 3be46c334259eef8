"""Damaged and odd files of a user: each is read with all its rows, or refused in one sentence.

    python tests/helpers/fuzz_readers.py --minutes 15 [--seed N]

prints how many files were read and refused, and saves each one that did neither under
fuzz_failures/. A shorter run is a test (tests/preparing/test_fuzz_readers.py).
"""

import argparse
import csv
import io
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from places import STAGES
from toy_files import COMPRESSIONS, json_lines, text
from toy_sources import data_params

sys.path.insert(0, str(STAGES))

from sasrec.base.errors import UserError
from sasrec.preparing.cleaning import clean
from sasrec.preparing.interactions import summarise
from sasrec.preparing.parsing import read_local
from sasrec.preparing.source import Source
from sasrec.preparing.ties import find_ties, tie_notices
from sasrec.sources.params import Columns, DataParams

T = 1_000_000_000
SIZE = 60  # rows of a seed
PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
MARKS = [
    b'"', b'""', b"\n", b"\r", b"\r\n", b",", b"\t", b"\0", b"\xef\xbb\xbf", b"\xff", b"'", b" ",
    b"\\", b"user,item,rating,timestamp,n\n", b"1e400", b"nan", b"-1", b"20200705", b"9999-12-31",
    b"2020-01-01T00:00:00.123456789Z", b"1.5", b"\xe2\x80\x8b", b"99999999999999999999", b"NA",
    b";", b"{", b"[", b'{"a": [{}]}', b"31.12.2020", b"0",
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One file and how it is to be read."""

    content: bytes
    suffix: str
    layout: DataParams


def main() -> None:
    """Fuzz for some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    failed = Path("fuzz_failures")
    found = fuzz(arguments.seed, arguments.minutes * 60, failed)
    print(", ".join(f"{count:,} {what}" for what, count in sorted(found.items())))
    sys.exit(1 if found["failed"] else 0)


def fuzz(seed: int, seconds: float, failed: Path | None = None, files: int = 10**12) -> Counter:
    """Read mutated files until the time or the number of files is up; count what came of them."""
    rng = random.Random(seed)
    seeds = parquet_seeds() + text_seeds() + other_seeds()
    counts: Counter = Counter()
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        while time.monotonic() < end and counts.total() < files:
            case = varied(rng, rng.choice(seeds))
            try:
                counts[outcome(case, Path(name))] += 1
            except Exception:
                if failed is None:
                    raise
                counts["failed"] += 1
                failed.mkdir(exist_ok=True)
                stem = f"{seed}-{counts.total()}"
                (failed / f"{stem}{case.suffix}").write_bytes(case.content)
                (failed / f"{stem}.txt").write_text(f"{case.layout}\n{traceback.format_exc()}")
    return counts


def outcome(case: Case, folder: Path) -> str:
    """Read one file; "read" or "refused".

    Raises:
        AssertionError: what was read, or the message, is not as it must be.
    """
    path = folder / f"interactions{case.suffix}"
    path.write_bytes(case.content)
    message = ""
    try:
        check(read_local(folder, case.layout, "mine"))
    except UserError as error:
        message = str(error)
    finally:
        path.unlink()
    assert "\n" not in message
    assert len(message) < 5000
    return "refused" if message else "read"


def check(source: Source) -> None:
    """What holds of everything that is read, and of what is made of it."""
    data = source.interactions
    size = len(data)
    assert size > 0
    for codes, labels in ((data.user, data.user_ids), (data.item, data.item_ids)):
        assert codes.dtype == np.int32
        assert len(codes) == size
        assert np.array_equal(np.unique(codes), np.arange(len(labels)))
        assert all(label.strip() for label in labels)
        assert len(set(labels)) == len(labels)
    assert data.timestamp.dtype == np.int64
    if data.time_unit is not None:
        seconds = data.timestamp // PER_SECOND[data.time_unit]
        assert seconds.min() >= 31_536_000
        assert seconds.max() < 4_102_444_800
    assert data.rating is None or np.isfinite(data.rating).all()
    params = DataParams.model_construct(min_rating=None, filter="once", min_interactions=1)
    kept, dropped = clean(data, params)
    assert len(kept) + sum(dropped.values()) == size
    share = summarise(kept).get("equal_time_share")
    notices = [*source.notices, *tie_notices(find_ties(kept, data), share, can_name=True)]
    assert all("\n" not in notice for notice in notices)


def varied(rng: random.Random, seed: Case) -> Case:
    """A seed with a few changes of its bytes; once in a while none."""
    content = bytearray(seed.content)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3, 8])):
        rng.choice(CHANGES)(rng, content)
    return Case(bytes(content), seed.suffix, seed.layout)


def flip(rng: random.Random, content: bytearray) -> None:
    """Another byte at one place."""
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def overwrite(rng: random.Random, content: bytearray) -> None:
    """Random bytes over some."""
    at = rng.randrange(len(content) + 1)
    content[at : at + 8] = rng.randbytes(min(8, len(content) - at))


def cut(rng: random.Random, content: bytearray) -> None:
    """Less of it: the end, the start, or a piece."""
    one, two = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    span = rng.choice([slice(two, None), slice(0, min(one, 20)), slice(one, min(two, one + 40))])
    del content[span]


def insert(rng: random.Random, content: bytearray) -> None:
    """Something that means something."""
    at = rng.randrange(len(content) + 1)
    content[at:at] = rng.choice(MARKS)


def repeat(rng: random.Random, content: bytearray) -> None:
    """A piece once more, elsewhere."""
    one, two = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    at = rng.randrange(len(content) + 1)
    content[at:at] = content[one : min(two, one + 200)]


CHANGES: list[Callable[[random.Random, bytearray], None]] = [flip, overwrite, cut, insert, repeat]


def layout(timed: bool = True, unit: str = "s", quoted: bool = True) -> DataParams:
    """How a seed is to be read."""
    columns = Columns(
        user="user", item="item", timestamp="timestamp" if timed else None, rating="rating",
        order="n",
    )  # fmt: skip
    return data_params(columns, unit, quoted=quoted)


def parquet_seeds() -> list[Case]:
    """Files of every plausible type, compression and layout."""
    rows = range(SIZE)
    words = [f"w{k % 7}é" for k in rows]
    text = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary_view()]
    ids: list[pa.Array] = [
        pa.array([k % 7 for k in rows], kind)
        for kind in (pa.int8(), pa.uint64(), pa.int64(), pa.float32(), pa.float64())
    ]
    ids += [pa.array(words).cast(pa.binary()).cast(kind) for kind in text]
    ids += [pa.array(words).dictionary_encode(), pa.array([[k] for k in rows])]
    times: list[pa.Array] = [
        pa.array([T + k for k in rows]),
        pa.array([T + k / 8 for k in rows]),
        pa.array([Decimal(T * 1000 + k) / 1000 for k in rows]),
        pa.array([Decimal(T * 1000 + k) for k in rows], pa.decimal256(50, 3)),
        pa.array([f"{T + k}.{k:03}" for k in rows]),
        pa.array([f"2020-01-01T00:00:{k:02}{'.5' * (k % 2)}Z" for k in rows]),
        pa.array([f"2020-01-01T00:00:{k:02}{'Z' * (k % 2)}" for k in rows], pa.string_view()),
        *(pa.array([(T + k) * per for k in rows], pa.timestamp(unit, zone))
          for unit, per in PER_SECOND.items() for zone in (None, "UTC", "+02:00")),
        pa.array([11574 + k for k in rows], pa.date32()),
        pa.array([(11574 + k) * 86_400_000 for k in rows], pa.date64()),
        pa.array(list(rows), pa.duration("s")),
        pa.array(list(rows), pa.time64("us")),
        pa.array([k % 2 == 0 for k in rows]),
        pa.nulls(SIZE),
    ]  # fmt: skip
    numbers = [pa.array([float(k) for k in rows]), pa.array([str(k) for k in rows]),
               pa.array(list(rows), pa.float16())]  # fmt: skip
    cases = []
    for k in range(max(len(ids), len(times)) * 2):
        table = pa.table({
            "user": ids[k % len(ids)], "item": ids[(k + 3) % len(ids)],
            "rating": numbers[k % len(numbers)], "timestamp": times[k % len(times)],
            "n": numbers[(k + 1) % len(numbers)], "unused": pa.array(words),
        })  # fmt: skip
        stream = io.BytesIO()
        pq.write_table(
            table, stream, row_group_size=[7, 40, 1000][k % 3], use_dictionary=k % 2 == 0,
            compression=["none", "snappy", "gzip", "zstd", "lz4", "brotli"][k % 6],
            data_page_version=["1.0", "2.0"][k % 2], store_schema=k % 4 != 3,
            data_page_size=[100, 10**6][k % 5 == 0], use_deprecated_int96_timestamps=k % 7 == 0,
        )  # fmt: skip
        cases.append(Case(stream.getvalue(), ".parquet", layout(k % 5 != 4)))
    return cases


def text_seeds() -> list[Case]:
    """Files with commas and tabs, quotes of all kinds, byte order marks and both line ends."""
    cases = []
    header = ["user", "item", "rating", "timestamp", "n", "title"]
    moments = [
        ("s", lambda k: T + k), ("s", lambda k: f"{T + k}.{k:03}"), ("ms", lambda k: T * 1000 + k),
        ("s", lambda k: f"2020-01-01 00:00:{k:02}"), ("s", lambda k: f"2020-01-01T00:00:{k:02}.5Z"),
        ("s", lambda k: f"2020-01-01T00:00:{k:02}" + "+02:00" * (k % 2)),
    ]  # fmt: skip
    titles = ["plain", 'say "hi"', "a, b", "two\nlines, of text", "é\u200b", "", "tab\there"]
    for k in range(48):
        unit, moment = moments[k % len(moments)]
        delimiter, suffix = [(",", ".csv"), ("\t", ".tsv")][k % 2]
        quoted = k % 4 != 3
        stream = io.StringIO()
        quoting = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL][k // 2 % 2] if quoted else csv.QUOTE_NONE
        writer = csv.writer(
            stream, delimiter=delimiter, quoting=quoting, quotechar='"' if quoted else None,
            lineterminator=["\n", "\r\n"][k // 3 % 2],
        )  # fmt: skip
        writer.writerow(header)
        for n in range(SIZE):
            title = titles[n % len(titles)] if quoted else 'a "plain" title'
            user = ["007", "é", "NA", "a b"][n % 4]
            writer.writerow([user, n % 11, n % 5, moment(n), n, title])
        encoding = "utf-8-sig" if k % 5 == 0 else "utf-8"
        content = stream.getvalue().encode(encoding)
        cases.append(Case(content, suffix, layout(k % 7 != 6, unit=unit, quoted=quoted)))
    return cases


def other_seeds() -> list[Case]:
    """Other delimiters, encodings, without a header, JSON, compressed, dates in other forms."""
    cases = []
    rows = [(f"u{n % 7}", f"i{n % 11}", n % 5, T + n, n) for n in range(SIZE)]
    names = ("user", "item", "rating", "timestamp", "n")
    places = Columns(user=0, item=1, rating=2, timestamp=3, order=4)
    packed = list(COMPRESSIONS.items())
    for k, delimiter in enumerate([";", "\t", "|", "::", ","] * 4):
        header = names if k % 3 else None
        content = text(rows, delimiter, header, ["\n", "\r\n"][k % 2])
        content = content.replace("u1", "ü1").encode(["utf-8", "utf-16", "latin-1"][k % 3])
        suffix, pack = packed[k % len(packed)] if k % 2 else packed[0]
        said = data_params(layout().columns if header else places)
        cases.append(Case(pack(content), ".txt" + suffix, said))
    for k, (suffix, pack) in enumerate(packed):
        content = json_lines(rows, names)
        if k % 3 == 1:
            content = content.replace(b'"', b"'")  # Python literals
        if k % 3 == 2:
            content = b"[" + content.strip().replace(b"\n", b",\n") + b"]"
        cases.append(Case(pack(content), ".json" + suffix, layout()))
    for form, moment in (
        ("day_first", "31.12.2020 1:02"), ("compact", "20201231"), ("spreadsheet", "44017.5"),
        ("%d %b %Y", "31 Dec 2020"),
    ):  # fmt: skip
        content = text([(*row[:3], moment, row[4]) for row in rows], ";", names)
        said = data_params(
            layout().columns, time_format=form, missing_time="drop", missing_id="drop"
        )
        cases.append(Case(content.encode(), "", said))
    return cases


if __name__ == "__main__":
    main()
