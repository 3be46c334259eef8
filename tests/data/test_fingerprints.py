"""Fingerprints tell apart what is not the same."""

import re
from itertools import combinations

import numpy as np

from sasrec.data.facts import fingerprint

DIFFERENT = [
    (["a", "b"],),
    (["ab"],),
    (["a"], ["b"]),
    (["b", "a"],),
    ("a",),
    (None,),
    (np.array([1, 2], np.int32),),
    (np.array([2, 1], np.int32),),
    (np.array([1, 2], np.int64),),
    (np.array([[1, 2]], np.int32),),
    (np.array([1], np.int32), np.array([2], np.int32)),
]


def test_different_data_has_different_fingerprints():
    for one, other in combinations(DIFFERENT, 2):
        assert fingerprint(*one) != fingerprint(*other), (one, other)


def test_the_same_data_has_the_same_fingerprint_wherever_it_lies():
    array = np.arange(12).reshape(3, 4)
    assert fingerprint(array[:, ::2]) == fingerprint(array[:, ::2].copy())
    assert re.fullmatch(r"[0-9a-f]{16}", fingerprint(array, ["ü"]))
