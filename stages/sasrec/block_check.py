"""Whether the blocks of a model compute by compiled loops what their formula says."""

import numpy as np
import torch

from sasrec.batches import Batch
from sasrec.errors import UserError
from sasrec.gradients import by_hand
from sasrec.layout import lay_out
from sasrec.model import SASRec

FAR = 1e-3  # of the largest entry; rounding alone is a thousand times less


@torch.inference_mode()
def check_blocks(model: SASRec) -> None:
    """Compare both on random input, without dropout; does nothing where the formula is used.

    Raises:
        UserError: they differ: one was changed without the other.
    """
    lengths = np.minimum([7, 1, 20, 3], model.config.max_length)
    layout = lay_out(lengths)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(len(layout.real), model.config.hidden_size, generator=generator)
    x = x.to(model.item_embedding.weight)
    if not by_hand(x):
        return
    was_training = model.training
    model.eval()
    batch = Batch(layout.sequences, layout)
    for number, block in enumerate(model.blocks, 1):
        expected = block.formula(x, batch)
        difference = (block(x, batch) - expected).abs().max().item()
        if not difference <= FAR * expected.abs().max().item():
            raise UserError(
                f"block {number}: what its formula in model.py says and what block_kernels.py "
                f"computes differ by {difference:.2g}: change both alike, or let by_hand in "
                "gradients.py return False, which is slower and always follows the formula"
            )
    model.train(was_training)
