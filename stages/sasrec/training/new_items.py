"""Embeddings of items that training never saw, from what is known of them.

Shapes: N items, M of them trained, F features, D hidden size.

Training leaves a new item's embedding at random, or pushes it away as a negative. What is known of
items says where theirs lie on average: the embeddings of the trained items are regressed on their
features, and a new item gets what its own features say. Ridge regression has a closed form, so
nothing is learnt beside the model; ranking and recommending then need to know nothing of it.

How often a trained item occurs is its weight, since rare ones are hardly learnt. How strongly
weights are drawn to 0 is decided on the trained items alone: each is predicted from the others
(leave one out, which has a closed form too), and the strength that does this best is taken.
"""

import numpy as np
import torch

from sasrec.base.errors import UserError
from sasrec.data.features import ItemFeatures
from sasrec.data.sequences import Sequences
from sasrec.model.sasrec import SASRec
from sasrec.training.params import TrainParams

STRENGTHS = 10.0 ** np.arange(-2, 4.5, 0.5)  # in units of an item that occurs as often as the mean
KNOTS = 9  # of years, from the first to the last: an eighth of the items between two


def fill_new_items(model: SASRec, features: ItemFeatures, sequences: Sequences) -> int:
    """Give the items that the training `sequences` lack the embeddings that their features say.

    Returns: how many they are.
    """
    design = design_of(features)
    counts = np.bincount(sequences.items, minlength=len(design))
    trained, new = np.flatnonzero(counts), np.flatnonzero(counts == 0)[1:]  # 0 is padding
    if not len(new):
        return 0
    weights = counts[trained] / counts[trained].mean()
    with torch.no_grad():
        for table in model.item_tables:
            known = table.detach().cpu().numpy().astype(np.float64)[trained]
            strength = choose_strength(design[trained], known, weights)
            filled = design[new] @ ridge(design[trained], known, weights, strength)
            table[torch.from_numpy(new).to(table.device)] = torch.from_numpy(filled).to(table)
    return len(new)


def fills_new_items(params: TrainParams) -> bool:
    """Whether training is to end with `fill_new_items`."""
    return params.new_items == "content"


def check_features(features: ItemFeatures | None, dataset: str) -> ItemFeatures:
    """The features, which train.new_items = 'content' needs.

    Raises:
        UserError: there are none.
    """
    if features is None:
        raise UserError(
            "train.new_items = 'content' needs genres or years of items, which the dataset "
            f"{dataset} does not have; use none"
        )
    return features


def design_of(features: ItemFeatures) -> np.ndarray:
    """float64 [N + 1, F]: each genre (0 or 1), where the year lies between KNOTS years, and 1.

    An item halfway between two knots has a half of each; one whose year is not known has none.
    """
    counts = np.diff(features.offsets)
    genres = np.zeros((len(counts), len(features.names)))
    genres[np.repeat(np.arange(len(counts)), counts), features.genres] = 1
    known = features.years > 0
    columns = [genres, np.ones((len(counts), 1))]
    if known.any():
        knots = np.unique(np.quantile(features.years[known], np.linspace(0, 1, KNOTS)))
        near = [np.interp(features.years, knots, unit) * known for unit in np.eye(len(knots))]
        columns.insert(1, np.stack(near, 1))
    return np.hstack(columns)


def ridge(
    design: np.ndarray, targets: np.ndarray, weights: np.ndarray, strength: float
) -> np.ndarray:
    """[F, D], the B that minimises the sum of w_i |x_i B - y_i|^2 + strength |b|^2.

    Here b is B without its last row.

    Args:
        design: [M, F], rows x_i; the last column is 1.
        targets: [M, D], rows y_i.
        weights: [M].
    """
    return np.linalg.solve(_gram(design, weights, strength), design.T * weights @ targets)


def choose_strength(design: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> float:
    """The one of STRENGTHS by which items are predicted best from the others.

    Without item i its error would be e_i / (1 - h_i), where e_i is its error with it and
    h_i = w_i x_i' G^-1 x_i (Hastie, Tibshirani & Friedman, section 7.10.1).
    """
    errors = []
    for strength in STRENGTHS:
        rest = design @ ridge(design, targets, weights, strength) - targets
        inverse = np.linalg.inv(_gram(design, weights, strength))
        own = weights * (design @ inverse * design).sum(1)
        errors.append(weights @ ((rest / (1 - own)[:, None]) ** 2).sum(1))
    return float(STRENGTHS[np.argmin(errors)])


def _gram(design: np.ndarray, weights: np.ndarray, strength: float) -> np.ndarray:
    penalty = np.full(design.shape[1], strength)
    penalty[-1] = 0
    return design.T * weights @ design + np.diag(penalty)
