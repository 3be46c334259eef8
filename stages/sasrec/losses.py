"""The training loss.

Shapes: T slots, D hidden size, K negatives a slot.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.embedding import look_up


def binary_cross_entropy(
    states: Tensor, *, embedding: Tensor, targets: Tensor, negatives: Tensor
) -> Tensor:
    """Sum over real positions of -log sigmoid(s+) - sum over negatives log(1 - sigmoid(s-)).

    Section III-E of the paper; its mean over real positions is the authors' loss. With several
    negatives their terms are added, as in gSASRec (Petrov & Macdonald, RecSys 2023, equation 3).

    Args:
        states: [T, D].
        embedding: [N + 1, D], of items by id.
        targets: int64 [T], the item that follows; 0 marks padding, which counts nothing.
        negatives: int64 [T, K].

    Returns: a scalar, to be divided by the number of real positions.
    """
    assert targets.shape == states.shape[:1] == negatives.shape[:1], (
        f"states {list(states.shape)}, targets {list(targets.shape)}, "
        f"negatives {list(negatives.shape)}"
    )
    candidates = torch.cat([targets[:, None], negatives], 1)
    scores = torch.einsum("td,tkd->tk", states, look_up(embedding, candidates))
    signs = scores.new_full((candidates.shape[1],), 1.0)
    signs[0] = -1.0
    losses = functional.softplus(scores * signs).sum(1)
    return torch.where(targets > 0, losses, 0).sum()
