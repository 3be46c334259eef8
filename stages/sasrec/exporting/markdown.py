"""Pieces of Markdown in which no text can be more than a text."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from sasrec.base.errors import printable

SPECIAL = re.compile(r"([\\`*_\[\]<>|#~$&])")


def escaped(text: object) -> str:
    """A text, of strangers too, as it is to be read."""
    return SPECIAL.sub(r"\\\1", printable(str(text)))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Of cells that are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(value: Any) -> str:
    """A value of params.yaml in YAML's spelling."""
    words = {True: "true", False: "false"}
    if isinstance(value, bool):
        return words[value]
    if value is None:
        return "null"
    if isinstance(value, list):
        return "[" + ", ".join(code(each) for each in value) + "]"
    return escaped(value)
