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
