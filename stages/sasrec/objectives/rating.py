"""A second task: the rating that the user gives to the next item.

Shapes: T slots, D hidden size, N items.

From the state s after a slot's item and the embedding e of the next one

    (W s + u) e + v s + b

is to be the rating, less the mean of the training ratings and divided by their deviation. The loss
is half the squared error, over the ratings that are known.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding as rows_of

from sasrec.batching.batches import TrainingBatch
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec
from sasrec.objectives.term import Encode, Term


class RatingPrediction(Term):
    """W, u, v and b begin at 0: the mean rating is predicted.

    They are learnt with the model's weights, and not kept: none of them is needed to rank.

    Args:
        sequences: of training, with ratings; those that are not known are NaN.

    Attributes:
        mean, deviation: of the known ratings; the deviation of equal ones is taken as 1.
        unknown: how many ratings are not known.
    """

    name = "rating"
    reads = 1

    def __init__(self, weight: float, hidden_size: int, sequences: Sequences) -> None:
        super().__init__()
        assert hidden_size >= 1, "the hidden size of the model is wanted"
        self.weight = weight
        ratings = sequences.columns["rating"].astype(np.float64)
        known = ratings[~np.isnan(ratings)]
        self.unknown = len(ratings) - len(known)
        self.mean = float(known.mean()) if len(known) else 0.0
        self.deviation = (float(known.std()) if len(known) else 0.0) or 1.0
        self.interaction = nn.Linear(hidden_size, hidden_size)
        self.user = nn.Linear(hidden_size, 1)
        for parameter in self.parameters():
            nn.init.zeros_(parameter)

    def items_read(self, batch: TrainingBatch, prepared: Any) -> list[Tensor]:
        """Targets."""
        return [batch.targets]

    def predictions(self, states: Tensor, embedding: Tensor, items: Tensor) -> Tensor:
        """Standardised ratings [T] of `items` (int64 [T]) after `states` [T, D].

        Args:
            embedding: [N + 1, D].
        """
        both = self.interaction(states) * rows_of(items, embedding)
        return both.sum(1) + self.user(states).squeeze(1)

    def forward(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, states: Tensor, prepared: Any
    ) -> Tensor:
        """See `Term`."""
        ratings = batch.target_columns["rating"].to(states.dtype)
        known = (batch.targets > 0) & ~ratings.isnan()
        # NaN is taken out before it is computed with: its gradient would be NaN.
        wanted = (torch.where(known, ratings, self.mean) - self.mean) / self.deviation
        errors = self.predictions(states, model.scoring_embedding, batch.targets) - wanted
        return 0.5 * torch.where(known, errors, 0).square().sum()
