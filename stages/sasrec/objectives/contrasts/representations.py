"""A sequence as one vector, of its states.

Shapes: B sequences, T slots, D hidden size.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from sasrec.batching.layout import Layout


def last(states: Tensor, layout: Layout) -> Tensor:
    """The state at each sequence's latest position: [T, D] to [B, D]."""
    return states[layout.last_slots]


def mean(states: Tensor, layout: Layout) -> Tensor:
    """The mean of the states at each one's real positions: [T, D] to [B, D]."""
    sums, first = [], 0
    for rows in layout.to_rows(states):
        lengths = layout.lengths[first : first + len(rows)]
        real = torch.arange(rows.shape[1], device=rows.device) < lengths[:, None]
        sums.append(torch.where(real[:, :, None], rows, 0).sum(1))
        first += len(rows)
    return torch.cat(sums) / layout.lengths[:, None]


REPRESENTATIONS: dict[str, Callable[[Tensor, Layout], Tensor]] = {
    "last": last,  # CL4SRec's, DuoRec's
    "mean": mean,
}
