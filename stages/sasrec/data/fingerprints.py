"""Fingerprints of data, by which a model knows what it was trained on.

Ids are numbers that a dataset gives by itself: item 5 of one is a stranger to another, also where
both have as many items. So each step that numbers or cuts leaves a digest of what it made, the
next ones carry it on, and whoever brings two things together compares.
"""

import hashlib
import json
from collections.abc import Sequence

import numpy as np

LENGTH = 16  # hexadecimal digits that are kept: chance never makes two of 64 bits equal


def fingerprint(*parts: np.ndarray | Sequence[str] | str | None) -> str:
    """A digest of arrays (dtype, shape and content), texts and lists of texts, in their order."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            array = np.ascontiguousarray(part)
            state.update(f"{array.dtype.str}{array.shape}".encode())
            state.update(array.data)
        else:
            # As JSON, so that ["a", "b"] and ["ab"] differ.
            state.update(json.dumps(part).encode())
        state.update(b"\n")
    return state.hexdigest()[:LENGTH]


def of_interactions(
    name: str, user_ids: Sequence[str], item_ids: Sequence[str], *columns: np.ndarray
) -> str:
    """Of a dataset as preprocess numbers it.

    Args:
        name: of the dataset.
        user_ids, item_ids: the source's ids in the order of ours.
        columns: user, item, timestamp: one entry an interaction.
    """
    return fingerprint(name, user_ids, item_ids, *columns)


def of_split(dataset: str, items: np.ndarray, *cuts: np.ndarray) -> str:
    """Of a split of the dataset whose own fingerprint is `dataset`.

    Args:
        items: int32, of every interaction.
        cuts: where each user's training and history end, and who has targets. Candidates are left
            out: they change what a rank means, not what a model may know.
    """
    return fingerprint(dataset, items, *cuts)
