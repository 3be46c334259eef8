"""From a column to codes and raw ids; ids that have lost digits or look alike are noticed."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sasrec.preparing.columns import cast, is_text, present, refuse, refuse_type, shown
from sasrec.preparing.missing import PLACEHOLDERS
from sasrec.preparing.tables import Table

EXACT = {16: 2**11, 32: 2**24, 64: 2**53}  # whole numbers below this, by a float's bits
AS_TEXT = "digits were lost: export ids as text"
ROUNDED = re.compile(r"[+-]?\d([.,]\d+)?[eE]\+\d{2,3}")  # as spreadsheets show long numbers
WHOLE_AS_FLOAT = re.compile(r"([+-]?\d+)\.0+")


@dataclass(frozen=True)
class Ids:
    """One column's ids.

    Attributes:
        codes: int32 `[N]`, counted from 0 in order of appearance.
        labels: the raw id, as text, of each code.
        notices: sentences on ids that may not be what they seem.
    """

    codes: np.ndarray
    labels: list[str]
    notices: tuple[str, ...] = ()


def ids(table: Table, name: str) -> Ids:
    """The column's values as codes. Text is kept as it is, leading zeros too.

    Raises:
        UserError: a value is missing, is neither text nor a whole number, or has lost digits.
    """
    column = present(table, name)
    if pa.types.is_floating(column.type):  # whole numbers that pandas wrote as floats
        column = _whole(table, name, column)
    elif pa.types.is_decimal(column.type):
        column = _whole_decimals(table, name, column)
    if not (pa.types.is_integer(column.type) or is_text(column.type)):
        refuse_type(table, name, "text or whole numbers")
    encoded = column.dictionary_encode().combine_chunks()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    labels = encoded.dictionary.cast(pa.large_string()).to_pylist()
    if is_text(column.type):
        _check_labels(table, name, codes, labels)
    notices = (
        *_look_alikes(name, labels),
        *_zero_padded(name, labels),
        *_placeholders(name, codes, labels),
    )
    return Ids(codes, labels, notices)


def _whole(table: Table, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Floats as whole numbers, unless they are so large that some have become others."""
    limit = EXACT[column.type.bit_width]
    values = column.to_numpy()
    large = np.isfinite(values) & (np.abs(values) >= limit)
    if large.any():
        row = int(np.argmax(large))
        value = shown(table.columns[name][row])
        table.fail(
            row,
            f"{name!r} is {value}, but type {column.type} keeps whole numbers only below {limit}; "
            f"{AS_TEXT}",
        )
    refuse(
        table,
        name,
        column,
        ~(np.isfinite(values) & (values == np.floor(values))),
        "a whole number or text",
    )
    return cast(table, name, column, pa.int64(), "a whole number or text")


def _whole_decimals(table: Table, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decimals without a part behind the point as text, of any number of digits."""
    text = column.cast(pa.string())
    if column.type.scale > 0:
        whole = pc.match_substring_regex(text, r"^-?\d+(\.0*)?$").to_numpy(zero_copy_only=False)
        refuse(table, name, column, ~whole, "a whole number or text")
        text = pc.replace_substring_regex(text, r"\..*$", "")
    return text


def _check_labels(table: Table, name: str, codes: np.ndarray, labels: list[str]) -> None:
    known = set(labels)
    for code, label in enumerate(labels):
        if not label.strip():
            table.lacks(int(np.argmax(codes == code)), name)
        reason = _what_is_wrong(label, known)
        if reason:
            table.fail(int(np.argmax(codes == code)), f"{name!r} {reason}")


def _what_is_wrong(label: str, known: set[str]) -> str | None:
    if "\n" in label or "\r" in label:
        return "holds a line break"
    if label[-1] in "0123456789":
        if ROUNDED.fullmatch(label):
            return f"is {label!r}, as spreadsheets show long numbers; {AS_TEXT}"
        whole = WHOLE_AS_FLOAT.fullmatch(label)
        if whole and whole[1] in known:
            return f"is {label!r}, and elsewhere {whole[1]!r}: write whole numbers in one way"
    return None


def _look_alikes(name: str, labels: Sequence[str]) -> list[str]:
    """Ids that differ from another only in what cannot be seen."""
    odd = {
        label
        for label in labels
        if not (label.isascii() and label.isprintable()) or label != label.strip()
    }
    if not odd:
        return []
    plain: dict[str, str] = {label: label for label in labels if label not in odd}
    pairs = []
    for label in labels:
        if label in odd:
            other = plain.setdefault(_visible(label), label)
            if other != label:
                pairs.append((other, label))
    if not pairs:
        return []
    one, two = (ascii(label[:60]) for label in pairs[0])
    return [
        f"{len(pairs):,} ids of {name!r} differ from another one only in spaces or in characters "
        f"that cannot be seen, as {two} from {one}; they count as different"
    ]


def _zero_padded(name: str, labels: Sequence[str]) -> list[str]:
    """Ids that differ from another only in zeros before them."""
    padded = [label for label in labels if label[0] == "0" and len(label) > 1]
    if not padded:
        return []
    known = set(labels)
    pairs = [(label.lstrip("0") or "0", label) for label in padded]
    pairs = [(short, label) for short, label in pairs if short in known and short != label]
    if not pairs:
        return []
    short, label = (ascii(one[:60]) for one in pairs[0])
    return [
        f"{len(pairs):,} ids of {name!r} differ from another one only in zeros before them, as "
        f"{label} from {short}; they count as different"
    ]


def _visible(label: str) -> str:
    composed = unicodedata.normalize("NFC", label)
    seen = "".join(c for c in composed if unicodedata.category(c) not in ("Cc", "Cf"))
    return " ".join(seen.split())


def _placeholders(name: str, codes: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Ids that may stand for a missing one, with how many rows have them."""
    notices = []
    for code, label in enumerate(labels):
        if len(label) < 12 and label.strip().lower() in PLACEHOLDERS:
            count = int(np.count_nonzero(codes == code))
            rows = f"{count:,} row" + "s" * (count != 1)
            notices.append(
                f"{name!r} is {label!r} in {rows}; if that means a missing id, set "
                "data.missing_id: drop"
            )
    return notices
