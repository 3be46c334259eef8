"""Whether models of any size and kind train and rank by the loops that were kept.

    PYTHONPATH=stages python tests/helpers/every_option.py

Prints what this process compiled for itself, or "nothing".
"""

from itertools import product

import numpy as np
import torch
from toys import OPTIONS, toy_config, toy_objective_params, toy_train_params

from sasrec.batching.batches import SequenceReader
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.kernels.compiled_code import compiled_here
from sasrec.kernels.prepare import prepare
from sasrec.model.config import ModelConfig
from sasrec.model.sasrec import SASRec
from sasrec.model.tables import VARIANTS
from sasrec.objectives.objective import build_objective
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores
from sasrec.training import trainer as training
from sasrec.training.trainer import Trainer

CPU = torch.device("cpu")
NUM_ITEMS, LENGTH = 23, 11


def main() -> None:
    for variant, changes in product(VARIANTS, OPTIONS.values()):
        for size, dropout, users in ((6, 0.0, 300), (12, 0.2, 5)):
            values = changes | {"variant": variant, "dropout": dropout}
            use(toy_config(**values, hidden_size=size, max_length=LENGTH), users)
    print("\n".join(compiled_here()) or "nothing")


def use(config: ModelConfig, users: int) -> None:
    """Prepare, train and rank."""
    draw = np.random.default_rng(1)
    lengths = draw.integers(2, 2 * LENGTH, users)
    items = draw.integers(1, NUM_ITEMS, lengths.sum()).astype(np.int32)
    sequences = Sequences.from_interactions(np.arange(users).repeat(lengths) + 1, items, users)
    targets = Targets(
        users=np.arange(1, users + 1),
        items=np.full(users, NUM_ITEMS, np.int32),
        candidates=np.ones((users, 2), np.int32),
    )
    for training.DEFERRED_FROM, negatives in ((0, 1), (1e9, 3)):
        model = SASRec(config, NUM_ITEMS, seed=1)
        objective = build_objective(
            toy_objective_params(num_negatives=negatives), sequences, NUM_ITEMS, CPU
        )
        prepare(model, objective.loss, report=lambda _: None)
        for layout in ("packed", "grouped", "fixed"):
            reader = SequenceReader(sequences, LENGTH, CPU, layout=layout)
            params = toy_train_params(batch_size=users)
            Trainer(model, objective, reader, params).run_epoch(1)
            rank_targets(ModelScores(model, reader), targets)


if __name__ == "__main__":
    main()
