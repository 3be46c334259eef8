"""Whether the blocks of a model compute by compiled loops what their formula says."""

import numpy as np
import torch
from torch import Tensor

from sasrec.batches import Batch
from sasrec.errors import UserError
from sasrec.gradients import by_hand
from sasrec.layout import lay_out
from sasrec.model import SASRec

FAR = 1e-3  # of the largest entry; rounding alone is some hundred times less
LENGTHS = [7, 1, 20, 3]


def check_blocks(model: SASRec) -> None:
    """Compare results and gradients on random input, by all threads and without dropout.

    Does nothing where the formula is used.

    Raises:
        UserError: they differ: one was changed without the other.
    """
    lengths = np.minimum(LENGTHS * 2 * torch.get_num_threads(), model.config.max_length)
    layout = lay_out(lengths)
    generator = torch.Generator().manual_seed(1)
    x, toward = torch.randn(2, len(layout.real), model.config.hidden_size, generator=generator)
    x = x.to(model.item_embedding.weight).requires_grad_()
    if not by_hand(x):
        return
    was_training = model.training
    model.eval()
    batch = Batch(layout.sequences, layout)
    for number, block in enumerate(model.blocks, 1):
        leaves = [x, *block.parameters()]
        found, expected = (
            (
                result,
                *torch.autograd.grad(result, leaves, toward.to(result), materialize_grads=True),
            )
            for result in (block(x, batch), block.formula(x, batch))
        )
        far = max(map(_distance, found, expected))
        if not far <= FAR:
            raise UserError(
                f"block {number}: its formula in model.py and block_kernels.py, which computes it, "
                f"differ by {far:.2g} of the result or a gradient: change both alike, or let "
                "by_hand in gradients.py return False, which is slower and follows the formula"
            )
    model.train(was_training)


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a part of the largest entry or of 1."""
    return ((one - other).abs().max() / other.abs().max().clamp(min=1)).item()
