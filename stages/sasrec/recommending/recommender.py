"""Recommendations in Python: load a trained model, then ask.

    from sasrec.recommending.recommender import Recommender

    recommender = Recommender.load("data/model")
    recommender.recommend(history=["50", "181"], k=10)

What people name are the source's ids (raw ids), as texts or numbers. stages/recommend.py asks the
same class.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch

from sasrec.base.errors import UserError
from sasrec.batching.batches import SequenceReader
from sasrec.batching.layout import Kind
from sasrec.data.sequences import Sequences
from sasrec.model.checkpoint import ModelDescription, load_model, read_description
from sasrec.model.needs import columns_in, model_needs
from sasrec.ranking.scoring import ModelScores
from sasrec.recommending.best import Choice, best_items
from sasrec.recommending.histories import (
    check_data_of_model,
    histories_before_test,
    popularity_in_training,
    typed_history,
    whole_histories,
)
from sasrec.recommending.names import ItemNames, RawIds, UserNames, texts
from sasrec.recommending.reasons import find_reasons
from sasrec.recommending.tables import BY, table_of

CPU = torch.device("cpu")
MANY = 100  # users: for fewer it takes longer to load drop-ins than they save
EXPLAINED = 8  # users of a table with reasons, each of which takes a tenth of a second or more


class Folders(NamedTuple):
    """Where the stages left what is read."""

    model: Path
    interactions: Path
    train: Path
    test: Path


class Recommender:
    """A trained model with the names of its items and users: `Recommender.load("data/model")`.

    Attributes:
        columns: what the model reads of an interaction beside its item ("rating", "timestamp"),
            which is not known of a history that somebody names.
        names: what items are called; `names.of_title` finds one.
    """

    def __init__(
        self,
        folders: Folders,
        description: ModelDescription,
        before_test: bool,
        report: Callable[[str], None],
    ) -> None:
        self._folders = folders
        self._report = report
        self._description = description
        self._before_test = before_test
        self._model = load_model(folders.model, CPU)
        self.columns = columns_in(model_needs(description.config))
        self.names = ItemNames(folders.interactions, description.num_items)

    @classmethod
    def load(
        cls,
        model: str | Path = "data/model",
        *,
        before_test: bool = False,
        report: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Load what `train` left in the folder `model`; what else is read lies beside that.

        interactions/ always: the names of items, users and their histories; split/train/ where
        somebody gets what is popular.

        Args:
            before_test: let the users' histories end before the test target, or before the cut by
                time, as evaluate does (split/test/).
            report: told what computes the model for many users.

        Raises:
            UserError: something is missing or unreadable, or is of other data than the model.
        """
        data = Path(model).parent
        folders = Folders(
            Path(model), data / "interactions", data / "split/train", data / "split/test"
        )
        description = read_description(folders.model)
        check_data_of_model(description, folders.model, folders.interactions)
        return cls(folders, description, before_test, report)

    def recommend(
        self,
        history: RawIds,
        k: int = 10,
        *,
        only: RawIds | None = None,
        exclude: RawIds = (),
        include_seen: bool = False,
        why: bool = False,
    ) -> pd.DataFrame:
        """The best next items after a history.

        Args:
            history: raw ids of items, oldest first. The latest `max_length` count. Without any,
                the most popular items of training are returned, and a score is how often an item
                occurs there.
            k: how many items; there are fewer where no more are left.
            only: raw ids of items to choose from; those that the catalogue lacks do not count.
            exclude: raw ids of items to leave out, likewise.
            include_seen: items of the history too. A model that was validated so
                (evaluate.filter_seen: false) always returns them.
            why: also which items of the history each one rests on, see `find_reasons`.

        Returns: the columns rank, item (raw id), title (if the data has titles), score, best
            first; and why: a list of {"item", "title", "lost"}, the largest loss first.

        Raises:
            UserError: an item of the history is not in the catalogue, or none of `only` is; k is
                less than 1; the model's scores are no numbers.
        """
        choice = self._choice(k, only, exclude, include_seen)
        sequences = typed_history(self.names.ids_of(history, "history"), self.columns)
        (table,) = self._tables(sequences, [1], None, choice, why)
        return table.drop(columns=BY)

    def recommend_all(
        self,
        users: RawIds | None = None,
        k: int = 10,
        *,
        only: RawIds | None = None,
        exclude: RawIds = (),
        include_seen: bool = False,
        why: bool = False,
        popular: bool = False,
    ) -> Iterator[pd.DataFrame]:
        """The best next items for users of the data: some users a table, in bounded memory.

        Args:
            users: raw ids, in the order that is wanted; None for all.
            k, only, exclude, include_seen, why: as of `recommend`. With `why` it takes as many
                times longer as histories have items.
            popular: users that the data does not know get the most popular items of training, as
                those without a history always do.

        Yields: tables with the columns user (raw id), those of `recommend`, and before why also
            by: "model" or "popularity". A user's rows are side by side.

        Raises:
            UserError: as `recommend`, or one of `users` is not in the data.
        """
        choice = self._choice(k, only, exclude, include_seen)
        if users is None:
            named, ids = self._users.raw_ids, list(range(1, self.num_users + 1))
        else:
            named = texts(users, "users")
            ids = self._users.ids_of(named, popular=popular)
        return self._tables(self._histories, ids, named, choice, why)

    @property
    def num_users(self) -> int:
        """Of the data."""
        return self._description.data.num_users

    def _tables(
        self,
        sequences: Sequences,
        users: list[int],
        named: list[str] | None,
        choice: Choice,
        why: bool,
    ) -> Iterator[pd.DataFrame]:
        length, layout = self._model.config.max_length, self._layout(len(users))
        reader = SequenceReader(sequences, length, CPU, layout=layout, columns=self.columns)
        scorer = ModelScores(self._model, reader)
        reasons = partial(find_reasons, self._model, reader) if why else None
        owners = iter(named or ())
        for best in best_items(scorer, np.array(users, np.int64), choice, lambda: self._popularity):
            for part in best.parts(EXPLAINED) if why else [best]:
                chunk = None
                if named is not None:
                    chunk = np.array([*islice(owners, len(part.users))], object)
                yield table_of(part, self.names, chunk, reasons)

    def _layout(self, users: int) -> Kind:
        """How the sequences of so many users are to lie.

        For many, drop-ins are put on the model, which then serve fewer too.
        """
        return "grouped" if users < MANY else self._layout_of_many

    @cached_property
    def _layout_of_many(self) -> Kind:
        from sasrec.kernels.prepare import layout_for, prepare  # takes a second

        prepare(self._model, kernels=self._description.kernels, report=self._report)
        return layout_for(self._model)

    def _choice(self, k: int, only: RawIds | None, exclude: RawIds, include_seen: bool) -> Choice:
        if k < 1:
            raise UserError(f"k = {k}: expected 1 or more")
        filter_seen = self._description.filter_seen and not include_seen
        return Choice(k, self.names.allowed(only, exclude), filter_seen)

    @cached_property
    def _users(self) -> UserNames:
        return UserNames(self._folders.interactions, self.num_users)

    @cached_property
    def _histories(self) -> Sequences:
        """Of all users."""
        folders = self._folders
        if self._before_test:
            return histories_before_test(self._description, folders.model, folders.test)
        return whole_histories(folders.interactions)

    @cached_property
    def _popularity(self) -> np.ndarray:
        """int64 [N + 1]: how often each item occurs in training."""
        return popularity_in_training(self._description, self._folders.model, self._folders.train)
