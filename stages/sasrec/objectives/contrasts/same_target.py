"""Another sequence with the same target (DuoRec, as in by_dropout.py; its supervised part).

Shapes: B sequences, U users, N items.

The authors pair prefixes of sequences; here one sequence a user is in a batch, with all of its
positions, so sequences are paired that end in the same item, by their last training items. One
without a partner is paired with itself, by another dropout, as in the authors' code. Sequences of
the same target are no negatives of each other, since one of them is the positive (the authors'
code keeps them).
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.batching.columns import PADDING
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.contrast import Contrast, ContrastSettings
from sasrec.objectives.contrasts.materials import Materials
from sasrec.objectives.negatives import random_below
from sasrec.objectives.term import Encode
from sasrec.objectives.views.laying_out import View, as_view, longest
from sasrec.objectives.views.rows import Rows


class Partners:
    """Draws, for users, others whose sequences end in the same item, and reads their items."""

    def __init__(
        self, sequences: Sequences, num_items: int, device: torch.device, max_length: int | None
    ) -> None:
        def put(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device)

        users = np.flatnonzero(sequences.lengths >= 2)
        ends = sequences.items[sequences.offsets[users + 1] - 1]
        order = np.argsort(ends, kind="stable")
        counts = np.bincount(ends, minlength=num_items + 1)
        ranks = np.zeros(sequences.num_users + 1, np.int64)
        ranks[users[order]] = np.arange(len(users))
        self._users, self._ranks = put(users[order]), put(ranks)  # by last item, and where each is
        self._counts, self._starts = put(counts), put(counts.cumsum() - counts)
        self._items, self._offsets = put(sequences.items), put(np.array(sequences.offsets))
        self._columns = {name: put(column) for name, column in sequences.columns.items()}
        self._max_length, self._longest = max_length, max(1, int(sequences.lengths.max()) - 1)

    def ends(self, users: Tensor) -> Tensor:
        """int64 [B], the last training items of users."""
        return self._items[self._offsets[users + 1] - 1].long()

    def draw(self, batch: TrainingBatch, generator: torch.Generator | None) -> Tensor:
        """int64 [B], another user for each of the batch; the user's own where there is none."""
        ranks, ends = self._ranks[batch.users], self.ends(batch.users)
        start, others = self._starts[ends], self._counts[ends] - 1
        drawn = start + random_below(others.clamp(min=1), generator)
        drawn = drawn + (drawn >= ranks)  # past the user's own place
        return self._users[torch.where(others > 0, drawn, ranks)]

    def read(self, users: Tensor, batch: TrainingBatch) -> View:
        """The sequences of `users` before their last items, laid out as `batch` is."""
        layout = batch.inputs.layout
        limit = min(longest(layout, self._max_length), self._longest)
        stop = self._offsets[users + 1] - 1
        lengths = (stop - self._offsets[users]).clamp(max=limit)
        places = torch.arange(limit, device=users.device)
        real = places < lengths[:, None]
        sources = torch.where(real, (stop - lengths)[:, None] + places, 0)

        def read(values: Tensor, nothing: float = 0) -> Tensor:
            return torch.where(real, values[sources], nothing)

        columns = {name: read(self._columns[name], PADDING[name]) for name in batch.inputs.columns}
        return as_view(Rows(read(self._items).long(), lengths, columns), layout)


class SameTarget(Contrast):
    """The states that the next item is learnt from, and those of a partner of each sequence."""

    name = "same_target"
    reads = 1
    rows = 2
    needs_latest = True

    def __init__(self, settings: ContrastSettings, partners: Partners) -> None:
        super().__init__(settings)
        self.partners = partners

    @classmethod
    def of(cls, materials: Materials) -> Self:
        """See `Contrast`."""
        sequences, count = materials.sequences, materials.num_items
        partners = Partners(sequences, count, materials.device, materials.max_length)
        return cls(materials.params, partners)

    def prepare(self, batch: TrainingBatch, generator: torch.Generator) -> tuple[View]:
        """See `Term`."""
        return (self.partners.read(self.partners.draw(batch, generator), batch),)

    def items_read(self, batch: TrainingBatch, prepared: tuple[View]) -> Sequence[Tensor]:
        """See `Term`."""
        return (prepared[0].batch.items,)

    def alike(self, batch: TrainingBatch) -> Tensor:
        """Those of the same target."""
        return self.partners.ends(batch.users)

    def pair(
        self,
        model: SASRec,
        encode: Encode,
        batch: TrainingBatch,
        states: Tensor,
        prepared: tuple[View],
    ) -> tuple[Tensor, Tensor]:
        """See `Contrast`."""
        return self.represent(states, batch), self.represent_view(encode, *prepared)
