"""Items of the input that are hidden in training, so that no state leans on one item alone.

Shapes: T slots.
"""

from dataclasses import replace

from torch import nn

from sasrec.batching.batches import Batch
from sasrec.batching.columns import of_other_items
from sasrec.model.dropout import Dropout


class ItemDropout(nn.Module):
    """Each item becomes item 0, whose embedding is zero, with the chance `rate`.

    Its position stays, and its time; its rating and its genres go with it, as in views that hide
    items. What it is to predict stays too.

    Args:
        dropout: of the model, whose random bits are used.
    """

    def __init__(self, rate: float, dropout: Dropout) -> None:
        super().__init__()
        self.rate = rate
        self.dropout = dropout

    def forward(self, batch: Batch) -> Batch:
        """The batch, or in training a copy in which items are hidden."""
        if not (self.training and self.rate):
            return batch
        hidden = self.dropout.chances(batch.items, self.rate)
        columns = of_other_items(batch.columns, hidden)
        return replace(batch, items=batch.items.masked_fill(hidden, 0), columns=columns)
