"""Which part of a long history an epoch learns from: one row, one function, one name.

Shapes: U users.

A window is what a batch takes of a history: `max_length` items and the next of each. Whatever row
is chosen, it is as long as the latest one, so that an epoch has the same number of positions.
"""

from collections.abc import Callable

import numpy as np

LATEST = 0.5  # the chance that `random` takes the latest window, which is the one that ranking sees


def latest(lengths: np.ndarray, max_length: int, generator: np.random.Generator) -> np.ndarray:
    """The latest window of each history, in every epoch: nothing is skipped."""
    return np.zeros_like(lengths)


def random(lengths: np.ndarray, max_length: int, generator: np.random.Generator) -> np.ndarray:
    """With chance `LATEST` the latest window, else one of all, each as likely as another."""
    most = np.maximum(lengths - (max_length + 1), 0)
    drawn = generator.integers(most, endpoint=True)
    return np.where(generator.random(len(lengths)) < LATEST, 0, drawn)


# Of the lengths of histories (int64 [U + 1]), the most positions of a window, and the epoch's
# generator: how many of its latest items each window leaves out, int64 [U + 1].
WINDOWS: dict[str, Callable[[np.ndarray, int, np.random.Generator], np.ndarray]] = {
    "latest": latest,  # the paper's
    "random": random,
}
