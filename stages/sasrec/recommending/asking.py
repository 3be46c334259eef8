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
COUNTS = "score is how often they occur there"
Say = Callable[[str], None]


def asked_tables(options: Namespace, recommender: Recommender, say: Say) -> Iterator[pd.DataFrame]:
    """What was asked for; one table where it is for one user or history.

    Raises:
        UserError: somebody or something that was named is not known, or nothing is left to
            recommend to the one who asked.
    """
    what = _choice(options, recommender, say)
    if options.user is None and options.users is None and not options.all_users:
        table = recommender.recommend(_history(options, recommender, say), **what)
        yield _not_empty(table)
        return
    users = read_ids(options.users) if options.users else None
    if options.user is not None:
        users = [options.user]
    tables = recommender.recommend_all(users, popular=options.popular, **what)
    count = recommender.num_users if users is None else len(users)
    told = Told(count, say, options.output)
    yield from told.of(map(_not_empty, tables) if options.user is not None else tables)


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
        say(f"no history: the items that are most popular in training; {COUNTS}")
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


@dataclass
class Told:
    """What goes by is counted and told.

    Attributes:
        count: of users that are asked for.
        output: a file that the tables go to, of which progress is told.
    """

    count: int
    say: Say
    output: Path | None
    lists: int = 0
    popular: int = 0
    items: int = 0
    _start: float = field(default_factory=time.monotonic)

    def of(self, tables: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """The same tables."""
        last = self._start
        for table in tables:
            yield table
            first = table[table[RANK] == 1]
            self.lists += len(first)
            self.popular += int((first[BY] == POPULARITY).sum())
            self.items += len(table)
            now = time.monotonic()
            if self.output and now - last > EVERY:
                last = now
                self.say(self._progress(now - self._start))
        if self.popular:
            whose = "the user has" if self.count == 1 else f"{self.popular:,} users have"
            self.say(f"{whose} no history: the items that are most popular in training; {COUNTS}")
        if self.output:
            seconds = time.monotonic() - self._start
            self.say(
                f"{self.output}: {self.items:,} items for {self.lists:,} users in {seconds:.1f} s"
            )

    def _progress(self, seconds: float) -> str:
        left = round(seconds * (self.count - self.lists) / max(1, self.lists))
        return (
            f"{self.lists:,} of {self.count:,} users, {self.lists / seconds:,.0f} a second, "
            f"{left // 60}:{left % 60:02} left"
        )
