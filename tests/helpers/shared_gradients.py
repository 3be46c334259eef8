"""Run by torchrun: what the optimizer gets of one shared batch, to a safetensors file.

Dropout and the draw of negatives differ by process on purpose, so here there is no dropout and a
negative is a fixed function of its user.
"""

import sys

import numpy as np
import torch
from safetensors.torch import save_file
from toys import TRAIN_PARAMS, toy_config

from sasrec.data.sequences import Sequences
from sasrec.machine.distributed import World, world
from sasrec.model.sasrec import SASRec
from sasrec.training.trainer import Trainer

NUM_ITEMS = 31


class FixedNegatives(Trainer):
    def _draw_negatives(self, batch, generator):
        users = batch.users[batch.inputs.layout.sequences]
        return ((users * 7) % NUM_ITEMS + 1)[:, None]


def gradients(processes: World) -> dict[str, torch.Tensor]:
    generator = np.random.default_rng(5)
    lengths = generator.integers(2, 13, size=11)
    users = np.repeat(np.arange(1, 12), lengths)
    items = generator.integers(1, NUM_ITEMS + 1, size=len(users))
    sequences = Sequences.from_interactions(users, items, 11)
    model = SASRec(toy_config(), NUM_ITEMS, seed=3).train()
    params = TRAIN_PARAMS.model_copy(update={"num_negatives": 1})
    trainer = FixedNegatives(model, sequences, params, torch.device("cpu"), processes)
    held = {}

    def step() -> None:
        for name, parameter in model.named_parameters():
            held[name] = parameter.grad.clone()

    trainer.optimizer.step = step
    trainer._learn(trainer._prepare(trainer.users, torch.Generator()))
    return held


if __name__ == "__main__":
    with world(torch.device("cpu")) as processes:
        shared = gradients(processes)
        assert processes.size == 2
        if processes.is_first:
            save_file(shared, sys.argv[1])
