"""However a table is written, the same interactions come out of it."""

import csv

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from toy_files import (
    BY_NAME,
    BY_POSITION,
    COMPRESSIONS,
    NAMES,
    Written,
    json_lines,
    parquet,
    text,
)
from toy_sources import rows

# Texts that every encoding below has, and that no delimiter or quote cuts.
plain = st.text(st.sampled_from("abcXYZ019_é"), min_size=1, max_size=6)
moment = st.integers(1_000_000_000, 2_000_000_000)
tables = st.lists(st.tuples(plain, plain, moment), min_size=3, max_size=9)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252")


@st.composite
def ways(draw, table):
    """One way to write a table, and what has to be said of it."""
    kind = draw(st.sampled_from(["text", "json", "parquet"]))
    compress = st.sampled_from(list(COMPRESSIONS))
    if kind == "parquet":
        texts = [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary_view()]
        user, item = (draw(st.sampled_from(texts)) for _ in "ui")
        encoded = [(one.encode(), other.encode(), time) for one, other, time in table]
        binary = [
            [one if "binary" in str(kind) else two for one, two in zip(left, right, strict=True)]
            for kind, left, right in [
                (user, [r[0] for r in encoded], [r[0] for r in table]),
                (item, [r[1] for r in encoded], [r[1] for r in table]),
            ]
        ]
        content = [(*pair, row[2]) for *pair, row in zip(*binary, table, strict=True)]
        parts = [content[:1], content[1:]] if draw(st.booleans()) else [content]
        files = {f"part-{n}": parquet(part, user=user, item=item) for n, part in enumerate(parts)}
        return Written(files if len(parts) > 1 else files["part-0"], ".parquet"), {}
    suffix = draw(compress)
    if kind == "json":
        return Written(COMPRESSIONS[suffix](json_lines(table)), ".jsonl" + suffix), {}
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", "::"]))
    header = draw(st.booleans())
    content = text(
        table,
        delimiter,
        NAMES if header else None,
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    )
    encoding = draw(st.sampled_from(ENCODINGS))
    written = Written(
        COMPRESSIONS[suffix](content.encode(encoding)),
        ".txt" + suffix,
        BY_NAME if header else BY_POSITION,
    )
    # "Ã©" in Latin-1 are the bytes of "é" in UTF-8, and a few letters may be both.
    named = draw(st.booleans()) or encoding in ("latin-1", "cp1252")
    return written, {"encoding": encoding, "delimiter": delimiter} if named else {}


@given(st.data(), tables)
def test_the_same_interactions_come_out(tmp_path_factory, data, table):
    written, said = data.draw(ways(table))
    found = rows(written.read(tmp_path_factory.mktemp("any"), **said))
    assert found == [(user, item, None, time) for user, item, time in table]


@given(tables, st.sampled_from(["latin-1", "cp1252"]))
def test_a_single_byte_encoding_is_found(tmp_path_factory, table, encoding):
    written = Written(text(table).encode(encoding))
    found = rows(written.read(tmp_path_factory.mktemp("any")))
    assert found == [(user, item, None, time) for user, item, time in table]
