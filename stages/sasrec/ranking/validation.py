"""What is measured between epochs: loss, HR@10 and NDCG@10 of the validation targets."""

from dataclasses import dataclass

import numpy as np

from sasrec.batching.batches import SequenceReader
from sasrec.data.targets import Targets
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import Loss
from sasrec.ranking.metrics import ranked, summarise
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import ModelScores


@dataclass(frozen=True)
class Validation:
    """Validation of one model.

    Attributes:
        loss: as in training; where that needs negatives, the user's candidates stand for them.
        sampled, full: HR@10, NDCG@10 and MRR by either protocol.
    """

    loss: float
    sampled: dict[str, float]
    full: dict[str, float]


def validate(
    model: SASRec,
    reader: SequenceReader,
    targets: Targets,
    loss: Loss,
    *,
    filter_seen: bool = True,
) -> Validation:
    """Rank the validation targets by both protocols, as `rank_targets` does.

    Args:
        reader: holds the histories.
    """
    scores = ModelScores(model, reader)
    ranks = rank_targets(scores, targets, loss=loss, filter_seen=filter_seen)
    return Validation(
        loss=float(np.nanmean(ranks.losses)),
        sampled=summarise(ranked(ranks.sampled), (10,)),
        full=summarise(ranks.full, (10,)),
    )
