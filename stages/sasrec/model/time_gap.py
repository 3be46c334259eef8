"""How long before each past item the one before it was, as an input.

Shapes: T slots, D hidden size.

The gap at a slot is between its interaction and the one before in the same sequence: never to the
interaction that is to be predicted, whose time nobody knows beforehand.
"""

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.batching.layout import Layout
from sasrec.model.inputs import Input, column_of, rows_from_one
from sasrec.model.known import Known
from sasrec.model.sizes import Sizes

NOT_KNOWN = torch.iinfo(torch.int64).min  # a time, as numpy's NaT
FIRST = 1  # the number of a sequence's first interaction
SIZES = 64  # numbers of gaps: by how many binary digits they have, 0 to 63


class TimeGapInput(Input):
    """An embedding by the gap's number of binary digits, in the unit of the data's times.

    So each unit of time is a shift. The first interaction of a sequence has a row of its own; a
    gap that is not known adds nothing.
    """

    needs = ("timestamp",)

    def __init__(self, sizes: Sizes, num_items: int, known: Known) -> None:
        super().__init__(sizes, num_items, known)
        self.embedding = nn.Embedding(FIRST + SIZES, sizes.hidden_size)
        powers = 2 ** torch.arange(SIZES - 1)
        self.register_buffer("powers", powers, persistent=False)

    def forward(self, batch: Batch, item: Tensor) -> Tensor:
        """[T, D]."""
        numbers = self.numbers(column_of(batch, "timestamp"), batch.layout)
        return rows_from_one(self.embedding, numbers)

    def numbers(self, times: Tensor, layout: Layout) -> Tensor:
        """int64 [T] of times [T]: 0 not known, 1 first, 2 no gap, 3 one unit, 4 two or three ..."""
        before = times.roll(1)  # a sequence's slots are side by side, oldest first
        known = (times != NOT_KNOWN) & (before != NOT_KNOWN)
        gaps = torch.where(known, times - before, 0).clamp(min=0)
        digits = torch.bucketize(gaps, self.powers, right=True)
        numbers = torch.where(known, FIRST + 1 + digits, 0)
        first = layout.positions == layout.lengths[layout.sequences] - 1
        return torch.where(first, FIRST, numbers)
