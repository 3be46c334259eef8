"""Items and users as people name them: raw ids, as texts or numbers, and titles.

Shapes: N items.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

from sasrec.base.errors import UserError
from sasrec.data.catalogue import ITEMS, USERS, Catalogue
from sasrec.recommending.titles import Titles

RawIds = Iterable[str | int]


class ItemNames:
    """What the items are called.

    Args:
        folder: of items.csv.
        num_items: N; a UserError if an id from 1 to N is not there.

    Attributes:
        ids: by raw id.
        raw_ids: object [N + 1], texts by id.
        titles: likewise; all empty if the data has none.
    """

    def __init__(self, folder: Path, num_items: int) -> None:
        items = Catalogue.read(folder / ITEMS)
        raw_ids = items.raw_ids_of(range(1, num_items + 1))
        self._path = items.path
        self._by_title = Titles(items)
        self.ids = {raw_id: number for number, raw_id in enumerate(raw_ids, start=1)}
        self.raw_ids = np.array(["", *raw_ids], object)
        self.titles = np.array(["", *map(self._by_title.of.get, raw_ids)], object)

    @property
    def have_titles(self) -> bool:
        """Whether any is known."""
        return self._by_title.known

    def of_title(self, title: str) -> str:
        """The raw id of the item with this title, see `Titles.find`."""
        return self._by_title.find(title)

    def ids_of(self, raw_ids: RawIds, name: str) -> list[int]:
        """The ids of a history.

        Args:
            name: of the argument, for a sentence.

        Raises:
            UserError: one is not in the catalogue.
        """
        wanted = texts(raw_ids, name)
        lacking = [raw_id for raw_id in wanted if raw_id not in self.ids]
        if lacking:
            raise UserError(
                f"{not_among(lacking, self.ids, self._path)}: correct it or leave it out (rare "
                "items are not there, see data.min_interactions)"
            )
        return [self.ids[raw_id] for raw_id in wanted]

    def allowed(self, only: RawIds | None, exclude: RawIds) -> np.ndarray:
        """bool [N + 1]: the items of `only` (None for all) but those of `exclude`; not padding.

        Raises:
            UserError: nothing of `only` is in the catalogue.
        """
        allowed = np.full(len(self.raw_ids), only is None)
        if only is not None:
            wanted = texts(only, "only")
            allowed[[self.ids.get(raw_id, 0) for raw_id in wanted]] = True
            if not allowed[1:].any():
                raise UserError(
                    f"{not_among(wanted, self.ids, self._path)}: expected raw ids of items to "
                    "choose from, or a file of them, one a line"
                )
        allowed[[self.ids.get(raw_id, 0) for raw_id in texts(exclude, "exclude")]] = False
        allowed[0] = False
        return allowed


class UserNames:
    """What the users are called.

    Args:
        folder: of users.csv.
        num_users: a UserError if an id from 1 to this is not there.

    Attributes:
        raw_ids: by id, from 1, in a list.
    """

    def __init__(self, folder: Path, num_users: int) -> None:
        users = Catalogue.read(folder / USERS)
        self._path = users.path
        self.raw_ids = users.raw_ids_of(range(1, num_users + 1))

    def ids_of(self, raw_ids: list[str], *, popular: bool) -> list[int]:
        """Their ids, and 0 where the data does not know one.

        Raises:
            UserError: the data does not know one, and `popular` is False.
        """
        ids = {raw_id: number for number, raw_id in enumerate(self.raw_ids, start=1)}
        lacking = [raw_id for raw_id in raw_ids if raw_id not in ids]
        if lacking and not popular:
            raise UserError(
                f"{not_among(lacking, ids, self._path)}: correct it, or ask for the most popular "
                "items where a user is not known (--popular, in Python popular=True)"
            )
        return [ids.get(raw_id, 0) for raw_id in raw_ids]


def not_among(lacking: list[str], known: Mapping[str, int], path: Path) -> str:
    """The beginning of a sentence on raw ids that `path` does not have."""
    if not lacking:
        return f"no raw id of {path} is named"
    first = list(islice(known, 3))
    examples = ", ".join(map(repr, first) if "," in "".join(first) else first)
    others = f", nor are {len(lacking) - 1:,} more" if len(lacking) > 1 else ""
    return f"{lacking[0]!r} is not among the raw ids of {path} ({examples}, …){others}"


def texts(ids: RawIds, name: str) -> list[str]:
    """Raw ids as texts.

    Raises:
        UserError: they are one text, whose letters would be taken for ids.
    """
    if isinstance(ids, str):
        raise UserError(f"{name} = {ids!r}: expected a list of raw ids")
    return [str(one) for one in ids]
