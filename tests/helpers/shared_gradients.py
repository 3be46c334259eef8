"""Run by torchrun: what the optimizer gets of one shared batch, to a safetensors file.

Dropout and the draw of negatives differ by process on purpose, so here there is no dropout and a
negative is a fixed function of its user.
"""

import sys

import numpy as np
import torch
from safetensors.torch import save_file
from toy_training import trainer_of
from toys import toy_config

from sasrec.data.sequences import Sequences
from sasrec.machine.distributed import World, world

NUM_ITEMS = 31


class FixedNegatives:
    """By user alone, whatever shares a batch."""

    def of(self, batch):
        self.users = batch.users[batch.inputs.layout.sequences]
        return self

    def draw(self, count, generator):
        assert count == 1
        return ((self.users * 7) % NUM_ITEMS + 1)[:, None]


def gradients(processes: World) -> dict[str, torch.Tensor]:
    generator = np.random.default_rng(5)
    lengths = generator.integers(2, 13, size=11)
    users = np.repeat(np.arange(1, 12), lengths)
    items = generator.integers(1, NUM_ITEMS + 1, size=len(users))
    sequences = Sequences.from_interactions(users, items, 11)
    torch.set_default_dtype(torch.float64)  # sums of either order are the same but for 1e-16
    trainer = trainer_of(
        sequences,
        num_items=NUM_ITEMS,
        config=toy_config().model_dump(),
        model_seed=3,
        loops=False,
        world=processes,
    )
    torch.set_default_dtype(torch.float32)
    trainer.objective.terms[0].negatives = FixedNegatives()
    trainer.model.train()
    held = {}

    def step() -> None:
        for name, parameter in trainer.model.named_parameters():
            held[name] = parameter.grad.clone()

    trainer.optimizer.step = step
    trainer._learn(trainer.steps.make(trainer.users, torch.Generator()))
    return held


if __name__ == "__main__":
    with world(torch.device("cpu")) as processes:
        shared = gradients(processes)
        assert processes.size == 2
        if processes.is_first:
            save_file(shared, sys.argv[1])
