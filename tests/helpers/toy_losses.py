"""The loss of a toy model, by targets and negatives that are functions of the items."""

import torch
from torch import Tensor
from toys import NUM_ITEMS, toy_objective_params

from sasrec.batching.batches import Batch
from sasrec.model.sasrec import SASRec
from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.losses import Loss


def targets_of(items: list[int]) -> list[int]:
    return [item * 5 % NUM_ITEMS + 1 for item in items]


def negatives_of(items: list[int]) -> list[list[int]]:
    return [[item * 7 % NUM_ITEMS + 1, item * 11 % NUM_ITEMS + 1] for item in items]


def toy_loss() -> BinaryCrossEntropy:
    """With two negatives."""
    return BinaryCrossEntropy(toy_objective_params(), NUM_ITEMS)


def loss_of(model: SASRec, batch: Batch, loss: Loss | None = None) -> Tensor:
    """The mean over real positions."""
    items = batch.items.tolist()
    targets = torch.where(batch.layout.real, torch.tensor(targets_of(items)), 0)
    negatives = torch.tensor(negatives_of(items))
    total = (loss or toy_loss())(model(batch), model.scoring_embedding, targets, negatives)
    return total / batch.layout.real.sum()
