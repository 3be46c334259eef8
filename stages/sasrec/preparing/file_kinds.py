"""What kind of file this is, by its first bytes: names lie, and some have no suffix."""

from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.preparing.plain_bytes import compression, head_of

BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
CSV = "export the table as CSV or Parquet"
ORC = b"ORC"
# Bytes that a file begins with, and what it is.
FOREIGN = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the sheet as CSV UTF-8",
    b"SQLite format 3": f"an SQLite database: {CSV}",
    b"\x89HDF": f"an HDF5 file: {CSV}",
    ORC: f"an ORC file: {CSV}",
    b"Obj\x01": f"an Avro file: {CSV}",
    b"\x93NUMPY": f"a NumPy array: {CSV}",
    b"\x80\x04": f"a Python pickle: {CSV}",
    b"\x80\x05": f"a Python pickle: {CSV}",
    b"%PDF": "a PDF: find the data behind it",
    b"ARROW1": f"an Arrow file: {CSV}",
    b"ustar": "a tar archive: unpack it",
}  # fmt: skip
PAGE = (b"<!doctype", b"<html", b"<?xml")
TAR_MAGIC_AT = 257


def kind_of(path: Path, label: str) -> str:
    """parquet, json or text.

    Raises:
        UserError: it is empty, or is of a kind that is not read here.
    """
    head = head_of(path, label)
    if not head:
        raise UserError(f"{label} is empty")
    if head.startswith(b"PAR1") or path.suffix == ".parquet":
        if compression(path) is not None:
            raise UserError(f"{label} is a Parquet file that is compressed once more: unpack it")
        return "parquet"
    foreign = head[TAR_MAGIC_AT:] if head[TAR_MAGIC_AT:].startswith(b"ustar") else head
    for magic, what in FOREIGN.items():
        # A text may begin with the name ORCID.
        if foreign.startswith(magic) and (magic != ORC or b"\0" in foreign):
            raise UserError(f"{label} is {what}")
    start = head
    for mark in BOMS:
        start = start.removeprefix(mark)
    start = start.replace(b"\0", b"").lstrip().lower()
    if start.startswith(PAGE):
        raise UserError(f"{label} is a web page or XML: get the file itself, or {CSV}")
    return "json" if start.startswith((b"{", b"[")) else "text"
