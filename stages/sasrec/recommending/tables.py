"""Recommendations as tables of names, as people and programs read them.

Shapes: B users of a chunk, N items, k items a list.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from sasrec.recommending.best import Best
from sasrec.recommending.names import ItemNames
from sasrec.recommending.reasons import Reason

USER, RANK, ITEM, TITLE, SCORE, BY, WHY, LOST = (
    *("user", "rank", "item", "title", "score", "by", "why", "lost"),
)
MODEL, POPULARITY = "model", "popularity"  # what stands under BY
FindReasons = Callable[[int, np.ndarray], list[list[Reason]]]  # of a user and the list's items


def item_columns(names: ItemNames, ids: np.ndarray) -> dict[str, np.ndarray]:
    """The columns item and, where the data has titles, title."""
    columns = {ITEM: names.raw_ids[ids]}
    return columns | {TITLE: names.titles[ids]} if names.have_titles else columns


def table_of(
    best: Best, names: ItemNames, users: np.ndarray | None, find_reasons: FindReasons | None
) -> pd.DataFrame:
    """The lists of `best`, a row an item: user, rank, item, title, score, by, why.

    Args:
        users: raw ids [B]; None leaves the column out.
        find_reasons: likewise for `why`.
    """
    rows, places = np.nonzero(best.items)  # list by list: zeros stand at their ends
    columns = {} if users is None else {USER: users[rows]}
    columns |= {RANK: places + 1} | item_columns(names, best.items[rows, places])
    columns |= {SCORE: best.scores[rows, places]}
    columns |= {BY: np.where(best.by_model, MODEL, POPULARITY)[rows]}
    table = pd.DataFrame(columns)
    if find_reasons is None:
        return table
    why = [one for row in range(len(best.users)) for one in _reasons(best, row, find_reasons)]
    described = [_describe(one, names) for one in why]
    return table.assign(**{WHY: pd.Series(described, table.index, object)})


def _describe(reasons: list[Reason], names: ItemNames) -> list[dict[str, str | float | None]]:
    """Each reason as item, title (where the data has titles) and lost."""
    columns = item_columns(names, np.array([item for item, _ in reasons], np.int64))
    columns |= {LOST: [lost for _, lost in reasons]}
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _reasons(best: Best, row: int, find_reasons: FindReasons) -> list[list[Reason]]:
    """Of each item of a list; what is popular rests on nothing."""
    items = best.items[row][best.items[row] > 0]
    if not best.by_model[row] or not len(items):
        return [[] for _ in items]
    return find_reasons(best.users[row], items)
