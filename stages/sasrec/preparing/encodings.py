"""Which encoding a text file has, where nobody names it."""

from pathlib import Path

from sasrec.base.errors import UserError
from sasrec.preparing.plain_bytes import open_plain

MARKS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
FEW = 0.1  # lines of UTF-8 beside lines that are none: letters such as "Ã©" do occur in Latin-1
UNDEFINED = b"\x81\x8d\x8f\x90\x9d"  # of cp1252


def encoding_of(head: bytes) -> str:
    """By a mark, or by the zero bytes of UTF-16; else utf-8."""
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return name
    some = head[:4096]
    even, odd = some[::2].count(0), some[1::2].count(0)
    if max(even, odd) > 0.3 * len(some) / 2 and min(even, odd) < 0.05 * len(some) / 2:
        return "utf-16-be" if even > odd else "utf-16-le"
    return "utf-8"


def single_byte_encoding(path: Path, label: str) -> tuple[str, str]:
    """cp1252 or latin-1 for a file that is not UTF-8; and a sentence that shows what it makes.

    Raises:
        UserError: lines of UTF-8 stand beside such as are none.
    """
    good, bad, undefined, example = 0, 0, False, (0, b"")
    with open_plain(path, label) as stream:
        for number, line in enumerate(stream, start=1):
            if line.isascii():
                continue
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError as error:
                bad += 1
                undefined = undefined or any(byte in line for byte in UNDEFINED)
                if bad == 1:
                    example = number, line[max(0, error.start - 15) : error.start + 16]
    number, piece = example
    if good > FEW * bad:
        raise UserError(
            f"{label}, line {number}: not UTF-8 text, though {good:,} other lines are: repair the "
            f"{bad:,} that are not, or name the encoding in data.encoding"
        )
    name, words = ("latin-1", "Latin-1") if undefined else ("cp1252", "Windows-1252")
    shown = piece.decode(name).strip()
    return name, (
        f"{label} is not UTF-8: it is read as {words} (line {number}: {shown!r}); if that looks "
        "wrong, name the encoding in data.encoding"
    )
