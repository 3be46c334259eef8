"""A user's own file as a source, and what was read from it."""

from pathlib import Path

from sasrec.preparing.parsing import LocalLayout, read_local
from sasrec.preparing.source import Source
from sasrec.sources.params import Columns

T = 1_000_000_000  # seconds since 1970: 2001-09-09
ALL = Columns(user="user", item="item", timestamp="timestamp", rating="rating", order=None)


def local(folder: Path, content: str | bytes, columns: Columns = ALL, unit: str = "s",
          suffix: str = ".csv", quoted: bool = True) -> Source:  # fmt: skip
    data = content.encode() if isinstance(content, str) else content
    (folder / f"interactions{suffix}").write_bytes(data)
    return read_local(folder, LocalLayout("mine.csv", columns, unit, quoted))


def rows(source: Source) -> list[tuple[str, str, float | None, int]]:
    """Interactions with their raw ids."""
    data = source.interactions
    rating = [None] * len(data) if data.rating is None else data.rating.tolist()
    users = [data.user_ids[code] for code in data.user]
    items = [data.item_ids[code] for code in data.item]
    return list(zip(users, items, rating, data.timestamp.tolist(), strict=True))
