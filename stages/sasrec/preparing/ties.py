"""Whether the order of a user's interactions is known, or an accident of the file.

Interactions of equal time keep the file's order. Where a file is sorted by item, say, that
order follows the items' ids, which a model learns, and metrics come out too high.
"""

from dataclasses import dataclass

import numpy as np

from sasrec.preparing.interactions import Interactions, ties

FEWEST = 20  # neighbours of equal time; of fewer nothing is said
MOST_TIMES = 0.5  # the share of interactions that share their time
ONE_WAY = 0.9  # the share of neighbours whose item ids rise, or fall


@dataclass(frozen=True)
class Ties:
    """Neighbours in a user's sequence whose order only the file tells.

    Attributes:
        neighbours: how many there are.
        item_id_rises, item_id_falls: the shares of them whose raw item id rises, falls;
            by value where both are whole numbers, else as text.
        file_grouped_by_item: whether each item's rows stand together in the file.
    """

    neighbours: int
    item_id_rises: float
    item_id_falls: float
    file_grouped_by_item: bool


def find_ties(data: Interactions, source: Interactions) -> Ties:
    """What holds of the ties in numbered `data`, which was read as `source`."""
    first = np.flatnonzero(ties(data))
    one, two = data.item[first], data.item[first + 1]
    by_text, by_value = _ranks(data.item_ids)
    numeric = (by_value[one] >= 0) & (by_value[two] >= 0)
    step = np.where(numeric, by_value[two] - by_value[one], by_text[two] - by_text[one])
    size = max(1, len(first))
    return Ties(
        neighbours=len(first),
        item_id_rises=int(np.count_nonzero(step > 0)) / size,
        item_id_falls=int(np.count_nonzero(step < 0)) / size,
        file_grouped_by_item=_grouped(source.item),
    )


def tie_notices(found: Ties, equal_time_share: float | None, can_name: bool) -> list[str]:
    """Sentences on an order that may mislead.

    `equal_time_share` is None without times; `can_name` says whether data.columns.order counts.
    """
    remedy = "; name a column that orders them in data.columns.order" if can_name else ""
    notices = []
    if equal_time_share is not None and equal_time_share > MOST_TIMES:
        notices.append(
            f"{equal_time_share:.1%} of interactions have the same time as another one of their "
            f"user; these keep the file's order, which may mean nothing{remedy}"
        )
    way = _way(found)
    if found.neighbours >= FEWEST and way is not None:
        where = "without times" if equal_time_share is None else "where times are equal"
        notices.append(
            f"{where} the file's order stands, and {way}: a model can learn that, and metrics "
            f"come out too high{remedy or '; shuffle such rows'}"
        )
    return notices


def _way(found: Ties) -> str | None:
    of = f"of {found.neighbours:,} neighbours there"
    if found.item_id_rises >= ONE_WAY:
        return f"it follows the item's id ({of} {found.item_id_rises:.1%} rise)"
    if found.item_id_falls >= ONE_WAY:
        return f"it follows the item's id ({of} {found.item_id_falls:.1%} fall)"
    return "the file is grouped by item" if found.file_grouped_by_item else None


def _ranks(labels: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Each label's place among all, as text; and by value, or -1 where it is no whole number."""
    by_text = np.empty(len(labels), dtype=np.int64)
    by_text[sorted(range(len(labels)), key=labels.__getitem__)] = np.arange(len(labels))
    values = {
        code: int(label)
        for code, label in enumerate(labels)
        if label.isascii() and label.removeprefix("-").isdigit() and len(label) < 100
    }
    places = {value: place for place, value in enumerate(sorted(set(values.values())))}
    by_value = np.full(len(labels), -1, dtype=np.int64)
    by_value[list(values)] = [places[value] for value in values.values()]
    return by_text, by_value


def _grouped(item: np.ndarray) -> bool:
    """Whether equal values stand together, several of most."""
    groups = 1 + int(np.count_nonzero(item[1:] != item[:-1]))
    distinct = int(item.max()) + 1  # codes count from 0 without gaps
    return groups == distinct and 2 * distinct <= len(item)
