"""One table written in many ways: formats, delimiters, encodings, compressions, folders."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from toy_sources import NO_ITEMS, data_params

from sasrec.preparing.parsing import read_local
from sasrec.preparing.source import Source
from sasrec.sources.local_params import Columns

NAMES = ("user", "item", "timestamp")
BY_NAME = Columns(user="user", item="item", timestamp="timestamp", rating=None, order=None)
BY_POSITION = Columns(user=0, item=1, timestamp=2, rating=None, order=None)
Rows = Sequence[tuple[Any, ...]]


def zipped(*contents: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.csv", content)
    return stream.getvalue()


def by_arrow(kind: str) -> Callable[[bytes], bytes]:
    def compress(content: bytes) -> bytes:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, kind) as stream:
            stream.write(content)
        return sink.getvalue().to_pybytes()

    return compress


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": by_arrow("zstd"),
    ".lz4": by_arrow("lz4"),
    ".zip": zipped,
}


def text(rows: Rows, delimiter: str = ",", header: Sequence[str] | None = NAMES,
         end: str = "\n", quoting: int = csv.QUOTE_MINIMAL) -> str:  # fmt: skip
    lines = [header, *rows] if header else list(rows)
    if len(delimiter) > 1:
        return "".join(delimiter.join(map(str, line)) + end for line in lines)
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows(lines)
    return stream.getvalue()


def json_lines(rows: Rows, names: Sequence[str] = NAMES) -> bytes:
    return "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode()


def parquet(rows: Rows, names: Sequence[str] = NAMES, **kinds: pa.DataType) -> bytes:
    columns = zip(*rows, strict=True)
    pairs = zip(names, columns, strict=True)
    return parquet_of(pa.table({name: pa.array(one, kinds.get(name)) for name, one in pairs}))


def parquet_of(table: pa.Table) -> bytes:
    stream = io.BytesIO()
    pq.write_table(table, stream)
    return stream.getvalue()


@dataclass(frozen=True)
class Written:
    """A file, or the files of a folder by their paths, and what else is to be said of it."""

    files: bytes | dict[str, bytes]
    suffix: str = ".csv"
    columns: Columns = BY_NAME
    items: bytes = NO_ITEMS

    def put(self, folder: Path) -> None:
        """As the stage download leaves it."""
        (folder / "items.csv").write_bytes(self.items)
        if isinstance(self.files, bytes):
            (folder / f"interactions{self.suffix}").write_bytes(self.files)
            return
        for name, content in self.files.items():
            path = folder / "interactions" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def read(self, folder: Path, **changes: Any) -> Source:
        self.put(folder)
        return read_local(folder, data_params(self.columns, **changes), "mine")
