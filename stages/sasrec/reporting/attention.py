"""What softmax attention looks at: its weights, which the model itself never keeps.

Shapes: L positions of a sequence, M of them the latest, D hidden size, H heads, d = D / H.
"""

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from sasrec.batching.batches import SequenceReader
from sasrec.model.sasrec import SASRec

SHOWS = "softmax"  # of model.attention; the weights of others are not shares, or not of items alone


@torch.inference_mode()
def latest_weights(model: SASRec, reader: SequenceReader, user: int, count: int) -> np.ndarray:
    """How much each of the latest `count` positions looks at each position, by block.

    Args:
        reader: of histories, packed.

    Returns: float32 [blocks, M, L], the mean over heads; each row sums to 1.
    """
    batch, _ = reader.histories(np.array([user]))
    found: list[Tensor] = []
    hooks = [
        block.attention.register_forward_pre_hook(partial(_keep, found, count))
        for block in model.blocks
    ]
    try:
        model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(found).numpy()


def _keep(found: list[Tensor], count: int, attention: nn.Module, inputs: tuple) -> None:
    """The weights [M, L] that `attention` will give its values (paper, equation 2)."""
    x, context, layout = inputs
    assert len(layout.lengths) == 1, layout.lengths
    query, key = attention.query_and_key(x, context, layout)  # [L, H, d]
    length, query = len(query), query[-count:]
    scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(query.shape[2])
    bias = attention.position.bias(length)
    if bias is not None:
        scores = scores + bias[:, -count:]
    later = torch.ones(length, length, dtype=torch.bool).triu(1)[-count:]
    found.append(scores.masked_fill(later, -torch.inf).softmax(2).mean(0))


def mean_weights(
    model: SASRec, reader: SequenceReader, users: np.ndarray, count: int
) -> np.ndarray:
    """The mean of weights among the latest `count` positions, float [blocks, M, M].

    Args:
        users: whose histories have M items at least.
    """
    total = sum(latest_weights(model, reader, user, count)[:, :, -count:] for user in users)
    return total / len(users)
