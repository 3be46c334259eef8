"""Run by compiling.py: compile all that training and ranking a model use, and write it to stdout.

    python -m sasrec.kernels.warmup HIDDEN_SIZE NUM_HEADS

It trains and ranks a small model of that size, in steps small and large enough for one thread and
for several. Nothing touches a disk. It ends when stdin does: its parent holds the other end, and
may be killed.
"""

import sasrec.machine.threads  # isort: skip  # noqa: F401, before torch
import os
import sys
import threading

import numpy as np
import torch

from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.block_check import check_blocks
from sasrec.kernels.compiled_code import hand_over
from sasrec.model.sasrec import ModelConfig, SASRec
from sasrec.ranking.ranks import rank_targets
from sasrec.training import trainer as training
from sasrec.training.trainer import Trainer, TrainParams

CPU = torch.device("cpu")
NUM_ITEMS, LENGTH = 200, 20


def main() -> None:
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    size, num_heads = map(int, sys.argv[1:])
    result = os.dup(1)
    os.dup2(2, 1)  # what anybody prints is not the result
    compile_for(size, num_heads)
    with open(result, "wb") as stream:
        stream.write(hand_over())


def compile_for(size: int, num_heads: int) -> None:
    """Compile by use, in the one order that all processes are to load."""
    for users in (3, 200):
        items = np.random.default_rng(1).integers(1, NUM_ITEMS + 1, users * LENGTH)
        owners = np.repeat(np.arange(1, users + 1), LENGTH)
        sequences = Sequences.from_interactions(owners, items.astype(np.int32), users)
        for dropout in (0.0, 0.5):
            training.DEFERRED_FROM = 0 if dropout else 1e9
            model = SASRec(_config(size, num_heads, dropout), NUM_ITEMS, seed=1)
            check_blocks(model)
            Trainer(model, sequences, _params(users), CPU).run_epoch(1)
            _rank(model, sequences, users)


def _end_with_stdin() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def _config(size: int, num_heads: int, dropout: float) -> ModelConfig:
    return ModelConfig(
        variant="paper",
        hidden_size=size,
        num_blocks=2,
        num_heads=num_heads,
        max_length=LENGTH,
        dropout=dropout,
        output_projection=False,
        position_embedding=True,
        tied_embedding=True,
        residual=True,
        initialisation="xavier_uniform",
    )


def _params(batch_size: int) -> TrainParams:
    return TrainParams(
        epochs=1,
        batch_size=batch_size,
        learning_rate=1e-3,
        num_negatives=1,
        valid_every=1,
        patience=1,
        monitor="sampled",
        seed=1,
        device="cpu",
        processes=1,
        precision="float32",
        compile=False,
    )


def _rank(model: SASRec, sequences: Sequences, users: int) -> None:
    """Rank item 1 for each user, among one candidate."""
    targets = Targets(
        users=np.arange(1, users + 1),
        items=np.ones(users, np.int32),
        candidates=np.full((users, 1), 2, np.int32),
    )
    rank_targets(model, SequenceReader(sequences, LENGTH, CPU, dense=False), targets)


if __name__ == "__main__":
    main()
