"""Whether a model trains and ranks by the kernels that were kept for its size, with any options.

    PYTHONPATH=stages python tests/helpers/every_option.py HIDDEN_SIZE NUM_HEADS

Prints what this process compiled for itself, or "nothing".
"""

import sys
from itertools import product

import numpy as np
import torch
from toys import OPTIONS, TRAIN_PARAMS, toy_config

from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.compiled_code import compiled_here
from sasrec.kernels.compiling import prepare
from sasrec.model.sasrec import VARIANTS, ModelConfig, SASRec
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.recommending import recommend
from sasrec.training import trainer as training
from sasrec.training.trainer import Trainer

CPU = torch.device("cpu")
NUM_ITEMS, LENGTH = 23, 11


def main() -> None:
    size, num_heads = map(int, sys.argv[1:])
    for variant, changes in product(VARIANTS, OPTIONS.values()):
        for dropout, users in ((0.0, 300), (0.2, 5)):
            values = changes | {"variant": variant, "dropout": dropout}
            values |= {"hidden_size": size, "num_heads": num_heads, "max_length": LENGTH}
            use(toy_config(**values), users)
    print("\n".join(compiled_here()) or "nothing")


def use(config: ModelConfig, users: int) -> None:
    """Prepare, train, rank and recommend."""
    draw = np.random.default_rng(1)
    lengths = draw.integers(2, 2 * LENGTH, users)
    items = draw.integers(1, NUM_ITEMS, lengths.sum()).astype(np.int32)
    sequences = Sequences.from_interactions(np.arange(users).repeat(lengths) + 1, items, users)
    targets = Targets(
        users=np.arange(1, users + 1),
        items=np.full(users, NUM_ITEMS, np.int32),
        candidates=np.ones((users, 2), np.int32),
    )
    model = SASRec(config, NUM_ITEMS, seed=1)
    prepare(model)
    for training.DEFERRED_FROM, negatives in ((0, 1), (1e9, 3)):
        params = TRAIN_PARAMS.model_copy(update={"num_negatives": negatives, "batch_size": users})
        trainer = Trainer(SASRec(config, NUM_ITEMS, seed=1), sequences, params, CPU)
        trainer.run_epoch(1)
        for dense in (False, True):
            reader = SequenceReader(sequences, LENGTH, CPU, dense=dense)
            rank_targets(trainer.model, reader, targets)
    recommend(trainer.model.eval(), [3, 1], 5)


if __name__ == "__main__":
    main()
