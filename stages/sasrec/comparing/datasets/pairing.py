"""Pair nodes of two graphs by the neighbours that they share."""

from typing import NamedTuple

import numpy as np


class Edges(NamedTuple):
    """Edges of one graph under names that both graphs know; three int64 arrays of one length."""

    node: np.ndarray  # the node to be paired
    key: np.ndarray  # its neighbour, under a name common to both graphs
    position: np.ndarray  # place in the user's sequence


class Candidates(NamedTuple):
    """Pairs of nodes that share a neighbour; four int64 arrays of one length."""

    left: np.ndarray
    right: np.ndarray
    shared: np.ndarray  # shared neighbours
    aligned: np.ndarray  # those at the same position


def shared_neighbours(left: Edges, right: Edges, limit: int) -> Candidates:
    """Count the neighbours that nodes of the two graphs share.

    At most `limit` pairs of edges are looked at, those of the rarest neighbours first: they
    tell most, and the time stays bounded.
    """
    right = Edges(*(array[np.argsort(right.key, kind="stable")] for array in right))
    start = np.searchsorted(right.key, left.key, side="left")
    count = np.searchsorted(right.key, left.key, side="right") - start
    rare_first = np.argsort(count, kind="stable")
    kept = rare_first[np.cumsum(count[rare_first]) <= limit]
    ours = np.repeat(kept, count[kept])
    within = np.arange(len(ours)) - np.repeat(np.cumsum(count[kept]) - count[kept], count[kept])
    theirs = start[ours] + within

    num_right = right.node.max(initial=0) + 1
    pair, inverse, shared = np.unique(
        left.node[ours] * num_right + right.node[theirs], return_inverse=True, return_counts=True
    )
    same = left.position[ours] == right.position[theirs]
    aligned = np.bincount(inverse, weights=same, minlength=len(pair)).astype(np.int64)
    return Candidates(pair // num_right, pair % num_right, shared, aligned)


def best_for_both(left: np.ndarray, right: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Which pairs no other pair of either node beats, bool; ties are all kept."""
    result = np.ones(len(score), dtype=bool)
    for node in (left, right):
        best = np.full(node.max(initial=0) + 1, np.iinfo(np.int64).min)
        np.maximum.at(best, node, score)
        result &= score == best[node]
    return result


def assign_greedily(left: np.ndarray, right: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Take pairs by falling score, each node once; the indices of the pairs taken, int64."""
    used_left: set[int] = set()
    used_right: set[int] = set()
    taken = []
    for index in np.argsort(-score, kind="stable").tolist():
        ours, theirs = int(left[index]), int(right[index])
        if ours not in used_left and theirs not in used_right:
            used_left.add(ours)
            used_right.add(theirs)
            taken.append(index)
    return np.array(taken, dtype=np.int64)
