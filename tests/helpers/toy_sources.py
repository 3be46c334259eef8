"""A user's own file as a source, and what was read from it."""

from pathlib import Path
from typing import Any

import yaml
from places import ROOT

from sasrec.preparing.parsing import read_local
from sasrec.preparing.source import Source
from sasrec.sources.local_params import Columns
from sasrec.sources.params import DataParams

T = 1_000_000_000  # seconds since 1970: 2001-09-09
ALL = Columns(user="user", item="item", timestamp="timestamp", rating="rating", order=None)
NO_ITEMS = b"item\n"
DATA = yaml.safe_load((ROOT / "params.yaml").read_text())["data"]


def data_params(columns: Columns = ALL, unit: str = "s", **changes: Any) -> DataParams:
    """The section `data` for a local file; `items` may be a part of its keys."""
    items = DATA["items"] | changes.pop("items", {})
    items["columns"] = DATA["items"]["columns"] | items["columns"]
    values = {"name": "local", "columns": columns.model_dump(), "time_unit": unit, "items": items}
    return DataParams(**(DATA | values | changes))


def local(folder: Path, content: str | bytes, columns: Columns = ALL, unit: str = "s",
          suffix: str = ".csv", items: bytes = NO_ITEMS, **changes: Any) -> Source:  # fmt: skip
    data = content.encode() if isinstance(content, str) else content
    (folder / f"interactions{suffix}").write_bytes(data)
    (folder / "items.csv").write_bytes(items)
    return read_local(folder, data_params(columns, unit, **changes), "mine.csv")


def rows(source: Source) -> list[tuple[str, str, float | None, int]]:
    """Interactions with their raw ids."""
    data = source.interactions
    rating = [None] * len(data) if data.rating is None else data.rating.tolist()
    users = [data.user_ids[code] for code in data.user]
    items = [data.item_ids[code] for code in data.item]
    return list(zip(users, items, rating, data.timestamp.tolist(), strict=True))
