"""The model as one function of padded items, which is what a graph is made of.

Shapes: B sequences, L columns of a row, N items.
"""

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.batching.columns import PADDING
from sasrec.batching.layout import Layout, Rows
from sasrec.model.needs import columns_in, model_needs
from sasrec.model.sasrec import SASRec


class NextItemScores(nn.Module):
    """The scores of all items after each history: what `ModelScores` gives, of plain tensors.

    Padding may stand before a history, or after it; of more than `max_length` items the latest
    count. A row without any item has scores without a meaning.

    Args:
        model: on the CPU, in eval mode.

    Attributes:
        columns: what is read of each interaction beside its item, in the order of `forward`'s
            arguments, by the names of COLUMNS in data/sequences.py.
    """

    def __init__(self, model: SASRec) -> None:
        super().__init__()
        self.model = model
        self.max_length = model.config.max_length
        self.columns = columns_in(model_needs(model.config))

    def forward(self, items: Tensor, *columns: Tensor) -> Tensor:
        """Scores float32 [B, N + 1], -inf in column 0, of items int64 [B, L], 0 at padding.

        Args:
            columns: of the dtypes of COLUMNS, [B, L], whatever stands at padding.
        """
        batch, width = items.shape
        places, lengths = self._places(items > 0, width)
        named = {
            name: _moved(column, places, PADDING[name])
            for name, column in zip(self.columns, columns, strict=True)
        }
        rows = Batch(_moved(items, places, 0), _layout(batch, width, lengths), named)
        scores = self.model.last_states(rows) @ self.model.scoring_embedding.T
        never = torch.full((batch, 1), -torch.inf, dtype=scores.dtype)
        return torch.cat((never, scores[:, 1:]), 1)

    def _places(self, real: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Where each column goes, for histories to begin their rows: int64 [B, L], L for nowhere.

        And how long they are, int64 [B].
        """
        count = real.long().cumsum(1)
        dropped = (count[:, -1:] - self.max_length).clamp(min=0)
        places = count - 1 - dropped
        places = torch.where(real & (places >= 0), places, width)
        return places, count[:, -1].clamp(min=1, max=self.max_length)


def _moved(x: Tensor, places: Tensor, padding: float) -> Tensor:
    """The values of x [B, L] at their places, row after row: [B L]."""
    batch, width = x.shape
    room = torch.full((batch, width + 1), padding, dtype=x.dtype)
    return room.scatter(1, places, x)[:, :width].reshape(-1)


def _layout(batch: int, width: int, lengths: Tensor) -> Layout:
    """As `lay_out_fixed`, whose calls fix the sizes that a graph is to leave open."""
    numbers = torch.arange(batch)
    last = numbers * width + lengths - 1
    sequences = numbers[:, None].expand(batch, width).reshape(-1)
    positions = last[sequences] - torch.arange(batch * width)
    groups = (Rows(batch, width),)
    return Layout("fixed", groups, lengths, last, sequences, positions.clamp(min=0), positions >= 0)
