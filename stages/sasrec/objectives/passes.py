"""What a step of an objective encodes: how many sequences, and how long."""

import numpy as np

from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.views.tables import AUGMENTATIONS


def passes_of(params: ObjectiveParams, lengths: np.ndarray, longest: int) -> list[np.ndarray]:
    """The mean lengths [U] of what is encoded in each pass, for sequences of `lengths` [U].

    Args:
        longest: the most positions that the model takes.
    """
    learnt = lengths
    if params.augment_training:
        views = _lengths_of_views(params, lengths, longest)
        learnt = lengths + params.augment_training * (views - lengths)
    passes = [learnt]
    for contrast in (CONTRASTS[name] for name in params.contrasts):
        other = _lengths_of_views(params, learnt, longest) if contrast.augments else learnt
        passes += [other] * contrast.passes
    return passes


def rows_held(params: ObjectiveParams) -> int:
    """How many int64 arrays [B, W] are held at once: a batch's sequences as rows of one width W.

    Views by all augmentations are there at once, beside their source. Other arrays come and go.
    """
    contrasts = [CONTRASTS[name] for name in params.contrasts]
    held = [0, *(contrast.rows for contrast in contrasts)]
    if params.augment_training or any(contrast.augments for contrast in contrasts):
        held.append(1 + sum(AUGMENTATIONS[name].widens for name in params.augmentations))
    return max(held)


def _lengths_of_views(params: ObjectiveParams, lengths: np.ndarray, longest: int) -> np.ndarray:
    """Each augmentation is as likely as another."""
    shares = params.augmentation_shares
    views = [
        np.minimum(lengths * AUGMENTATIONS[name].lengthens(getattr(shares, name)), longest)
        for name in params.augmentations
    ]
    return np.mean(views, axis=0)
