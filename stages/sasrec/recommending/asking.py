"""From the command line's options to tables of recommendations, and what is told beside them."""

import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sasrec.base.errors import UserError
from sasrec.recommending.options import named_items, read_ids
from sasrec.recommending.recommender import Recommender
from sasrec.recommending.tables import BY, POPULARITY, RANK

EVERY = 2.0  # seconds between lines of progress
POPULAR = "no history: the items that are most popular in training; score is how often they occur"
Say = Callable[[str], None]


@dataclass
class Asked:
    """Tables of recommendations, one after the other; what goes by is counted and told.

    Attributes:
        tables: one, where it is for one user or history.
        count: of users that are asked for.
        output: a file that the tables go to, of which progress is told.
    """

    tables: Iterable[pd.DataFrame]
    count: int
    say: Say
    output: Path | None
    rows: int = 0
    lists: int = 0
    popular: int = 0
    _start: float = field(default_factory=time.monotonic)

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Each table; then it is told how many users had no history, or nothing left."""
        last = self._start
        for table in self.tables:
            yield table
            self._add(table)
            now = time.monotonic()
            if self.output and now - last > EVERY:
                last = now
                self.say(self._progress(now - self._start))
        if self.popular:
            whose = "the user has" if self.count == 1 else f"{self.popular:,} users have"
            self.say(f"{whose} {POPULAR}")
        lacking = self.count - self.lists
        if lacking:
            self.say(
                f"Mind: nothing is left to recommend to {lacking:,} of {self.count:,} users: every "
                "item is in the history or left out; they have no rows"
            )

    def tell_done(self) -> None:
        """Call it when the file is complete."""
        seconds = time.monotonic() - self._start
        self.say(f"{self.output}: {self.rows:,} rows in {seconds:.1f} s")

    def _add(self, table: pd.DataFrame) -> None:
        first = table[table[RANK] == 1]
        self.rows += len(table)
        self.lists += len(first)
        if BY in first:
            self.popular += int((first[BY] == POPULARITY).sum())

    def _progress(self, seconds: float) -> str:
        left = round(seconds * (self.count - self.lists) / max(1, self.lists))
        return (
            f"{self.lists:,} of {self.count:,} users, {self.lists / seconds:,.0f} a second, "
            f"{left // 60}:{left % 60:02} left"
        )


def ask(options: Namespace, recommender: Recommender, say: Say) -> Asked:
    """What the options ask for.

    Raises:
        UserError: somebody or something that was named is not known. While iterating: nothing is
            left to recommend to the one who asked.
    """
    what = _choice(options, recommender, say)
    if options.user is None and options.users is None and not options.all_users:
        table = recommender.recommend(_history(options, recommender, say), **what)
        return Asked(map(_not_empty, [table]), 1, say, options.output)
    users = read_ids(options.users) if options.users else None
    if options.user is not None:
        users = [options.user]
    tables = recommender.recommend_all(users, popular=options.popular, **what)
    if options.user is not None:
        tables = map(_not_empty, tables)
    count = recommender.num_users if users is None else len(users)
    return Asked(tables, count, say, options.output)


def _choice(options: Namespace, recommender: Recommender, say: Say) -> dict[str, object]:
    """The options of `Recommender.recommend`."""
    lists = {"only": options.only, "exclude": options.exclude}
    known = recommender.names.ids
    items = {name: named_items(values, known) for name, values in lists.items() if values}
    for name, ids in items.items():
        lacking = [raw_id for raw_id in ids if raw_id not in known]
        if lacking:
            shown = ", ".join(lacking[:3]) + (", …" if len(lacking) > 3 else "")
            say(
                f"Mind: {len(lacking):,} of the {len(ids):,} items of --{name} are not in the "
                f"catalogue and do not count: {shown}"
            )
    others = {"k": options.k, "include_seen": options.include_seen, "why": options.why}
    return items | others


def _history(options: Namespace, recommender: Recommender, say: Say) -> list[str]:
    """Raw ids."""
    named = options.history or []
    if not named:
        say(POPULAR)
    for name in recommender.columns if named else ():
        say(f"Mind: the {name} of these items is not known to the model")
    return [recommender.names.of_title(one.text) if one.is_title else one.text for one in named]


def _not_empty(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        raise UserError(
            "nothing is left to recommend: every item is in the history or left out; "
            "--include-seen recommends items of the history again"
        )
    return table
