"""A file's bytes as they were before they were compressed, and before another encoding."""

import codecs
import errno
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from sasrec.base.errors import UserError
from sasrec.preparing.tables import first_line

CHUNK = 1 << 20
HEAD = 1 << 16  # bytes that tell what a file is
ZIP = b"PK\x03\x04"
# By the bytes that a file begins with: what Arrow calls it, or None for what Python reads.
COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xfd7zXZ\x00": "xz",
    ZIP: "zip",
}
# What decompressing raises for damaged content; an OSError that has an errno is the disk's, but
# for a place that does not exist.
DAMAGE = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, NotImplementedError)

Recode = Callable[[bytes, bool], bytes]


class Blocks(io.RawIOBase):
    """A stream of which each block goes through a function; damage becomes a sentence."""

    def __init__(self, source: BinaryIO, label: str, recode: Recode | None = None) -> None:
        """`recode` gets a block, and whether it is the last one (which is empty)."""
        self._source = source
        self._label = label
        self._recode = recode or (lambda block, last: block)
        self._left = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, target: memoryview) -> int:  # type: ignore[override]
        while not self._left and not self._ended:
            block = self._read()
            self._ended = not block
            self._left = memoryview(self._recode(block, self._ended))
        size = min(len(target), len(self._left))
        target[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _read(self) -> bytes:
        try:
            return self._source.read(CHUNK)
        except DAMAGE as error:
            raise _damaged(error, self._label) from None

    def close(self) -> None:
        self._source.close()
        super().close()


def open_plain(path: Path, label: str) -> BinaryIO:
    """The bytes of a file, decompressed where its first bytes say that it is compressed.

    Raises:
        UserError: it is damaged, also later while it is read; or a zip of several files.
    """
    kind = compression(path)
    if kind is None:
        return path.open("rb")
    return io.BufferedReader(Blocks(_decompressed(path, kind, label), label), CHUNK)


def compression(path: Path) -> str | None:
    """How a file is compressed, or None."""
    with path.open("rb") as stream:
        head = stream.read(8)
    return next((kind for magic, kind in COMPRESSIONS.items() if head.startswith(magic)), None)


def head_of(path: Path, label: str) -> bytes:
    """The first bytes of a file, decompressed."""
    with open_plain(path, label) as stream:
        return stream.read(HEAD)


def recoded(stream: BinaryIO, label: str, recode: Recode) -> BinaryIO:
    """The stream with each block changed."""
    return io.BufferedReader(Blocks(stream, label, recode), CHUNK)


def to_utf8(encoding: str, label: str) -> Recode:
    """From blocks in an encoding to the same text in UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1

    def recode(block: bytes, last: bool) -> bytes:
        nonlocal lines
        try:
            text = decoder.decode(block, last)
        except UnicodeError as error:  # of UTF-16 without its mark not a UnicodeDecodeError
            good = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            line = lines + bytes(good).decode(encoding, "ignore").count("\n")
            raise UserError(
                f"{label}, line {line}: not {encoding.upper()} text; name another one in "
                "data.encoding"
            ) from None
        lines += text.count("\n")
        return text.encode("utf-8", "surrogatepass")

    return recode


def one_character(delimiter: bytes, instead: bytes, label: str) -> Recode:
    """From blocks with a delimiter of several characters to blocks with one of a single one."""
    kept = b""  # of the last block, what may be the start of a delimiter

    def recode(block: bytes, last: bool) -> bytes:
        nonlocal kept
        if instead in block:
            raise UserError(f"{label} holds the byte {instead!r}, which no text should")
        whole = kept + block
        done = whole.rfind(b"\n") + 1
        if last:
            done = len(whole)
        kept = whole[done:]
        return whole[:done].replace(delimiter, instead)

    return recode


def _decompressed(path: Path, kind: str, label: str) -> BinaryIO:
    if kind == "zip":
        return _zipped(path, label)
    if kind == "xz":
        return lzma.open(path)  # type: ignore[return-value]
    return pa.input_stream(str(path), compression=kind)


def _zipped(path: Path, label: str) -> BinaryIO:
    try:
        return _only_member(zipfile.ZipFile(path), label)
    except RuntimeError as error:  # a password, or a method that Python lacks
        raise UserError(f"{label} cannot be unpacked here: {first_line(error)}") from None
    except (*DAMAGE, ValueError, struct.error) as error:
        raise _damaged(error, label) from None


def _only_member(archive: zipfile.ZipFile, label: str) -> BinaryIO:
    names = [
        name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name
    ]
    if "xl/workbook.xml" in names:
        raise UserError(f"{label} is an Excel workbook: save the sheet as CSV UTF-8")
    if len(names) != 1:
        shown = ", ".join(map(repr, names[:5])) + ", …" * (len(names) > 5)
        raise UserError(f"{label} is a zip of {len(names)} files ({shown}): unpack the one to read")
    return archive.open(names[0])  # type: ignore[return-value]


def _damaged(error: Exception, label: str) -> Exception:
    """A sentence, or the error itself where it is the disk's."""
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return error
    return UserError(f"{label} is damaged: {first_line(error)}")
