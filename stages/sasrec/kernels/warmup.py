"""Run by compiling.py: compile all loops that training and ranking use, and write them to stdout.

    python -m sasrec.kernels.warmup

Each loop is called once, on small random tensors: a loop's code depends on the types of what it is
given alone, so it serves any size, with and without dropout, in one thread or several. Nothing
touches a disk. It ends when stdin does: its parent holds the other end, and may be killed.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import os
import threading
from types import SimpleNamespace

import numpy as np
import torch

from sasrec.batching.layout import lay_out_packed
from sasrec.kernels.compiled_code import hand_over
from sasrec.kernels.full_softmax import cross_entropy_by_loop
from sasrec.kernels.fused_blocks import BlockWeights, fused_blocks
from sasrec.kernels.inputs import Embed
from sasrec.kernels.loops import adam
from sasrec.kernels.loops.block import Setting
from sasrec.kernels.loss import binary_cross_entropy, sampled_softmax
from sasrec.kernels.norm import Norm
from sasrec.model.dropout import Dropout

LENGTHS = np.array([3, 17, 1])
SIZE, ITEMS = 4, 9


def main() -> None:
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    result = os.dup(1)
    os.dup2(2, 1)  # what anybody prints is not the result
    compile_all()
    with open(result, "wb") as stream:
        stream.write(hand_over())


def compile_all() -> None:
    """Compile by use, in the one order that all processes are to load."""
    layout, dropout = lay_out_packed(LENGTHS), Dropout(0.5, 1)
    items = torch.arange(LENGTHS.sum()) % ITEMS + 1
    table, positions, vector = (
        torch.full(shape, 0.1, requires_grad=True)
        for shape in ((ITEMS + 1, SIZE), (17, SIZE), (SIZE,))
    )
    matrix = torch.eye(SIZE, requires_grad=True)
    x = Embed.apply(items, layout.positions, table, positions, 2.0, dropout)
    weights = BlockWeights(*(vector, vector), *(matrix, vector) * 4, *(vector, vector),
                           *(matrix, vector) * 2)  # fmt: skip
    setting = Setting(True, False, True, False, True, True, num_heads=2, epsilon=1e-8)
    x = fused_blocks(x, layout, [weights, weights], setting, dropout)
    x = Norm.apply(x, vector, vector, 1e-8)
    drawn = (x, table, items, items[:, None])
    losses = [
        compute(SimpleNamespace(positive_weight=1.0), *drawn)
        for compute in (binary_cross_entropy, sampled_softmax)
    ]
    losses.append(cross_entropy_by_loop(SimpleNamespace(smoothing=0.0), x, table, items))
    sum(losses).backward()
    _compile_adam()


def _compile_adam() -> None:
    """As training/deferred_adam.py calls it."""
    ids, steps = np.zeros(1, np.int64), np.zeros(1, np.int64)
    rows = [np.zeros((1, SIZE), np.float32) for _ in range(4)]
    adam.distinct(ids, steps, 1, ids)
    adam.move(ids, steps, 1, np.ones((2, 2)), np.ones((4, 2)), np.ones(4), 0.1, 1e-8, *rows[:3],
              0, 0, 1)  # fmt: skip
    adam.step(ids, steps, 1, 0.1, 0.9, 0.98, 1e-8, *rows, 0, 0, 1)


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
