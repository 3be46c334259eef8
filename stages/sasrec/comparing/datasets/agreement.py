"""How far a matching of users and items keeps the order of the sequences."""

import numpy as np

from sasrec.comparing.datasets.graph import (
    ITEM,
    SIDES,
    USER,
    InteractionGraph,
    Matching,
    neighbourhood,
)
from sasrec.comparing.datasets.pairing import Edges, assign_greedily, shared_neighbours

MAX_EDGE_PAIRS = 1_000_000
MAX_SWEEPS = 5


def same_positions(
    reference: InteractionGraph, other: InteractionGraph, matching: Matching
) -> np.ndarray:
    """Whether each of the reference's interactions stands at the same place in the other, bool [E].

    Places are counted from the end of the sequence, so that one missing interaction puts only
    those before it out of place.
    """
    user, item = reference.ends
    their_user, their_item = matching.of[USER][user], matching.of[ITEM][item]
    from_end = reference.degrees[USER][user] - 1 - reference.position
    their_place = other.degrees[USER][their_user] - 1 - from_end
    result = (their_user >= 0) & (their_item >= 0) & (their_place >= 0)
    index = (other.starts[USER][their_user] + their_place)[result]
    result[result] = other.ends[ITEM][index] == their_item[result]
    return result


def align_order(
    reference: InteractionGraph, other: InteractionGraph, matching: Matching
) -> Matching:
    """Exchange nodes that have the very same neighbours so that more positions agree.

    `matching` must make the interactions the same; so does the result. Such twins are free to
    be exchanged, and each exchange on one side may make another on the other side worthwhile.
    """
    agreeing = same_positions(reference, other, matching).sum()
    for sweep in range(MAX_SWEEPS * len(SIDES)):
        candidate = _exchange_twins(reference, other, matching, side=sweep % len(SIDES))
        now = same_positions(reference, other, candidate).sum()
        if now > agreeing:
            matching, agreeing = candidate, now
    return matching


def node_names(graph: InteractionGraph) -> tuple[np.ndarray, np.ndarray]:
    """A colour of its own for every node, uint64."""
    return tuple(np.arange(1, len(degree) + 1, dtype=np.uint64) for degree in graph.degrees)


def _exchange_twins(
    reference: InteractionGraph, other: InteractionGraph, matching: Matching, side: int
) -> Matching:
    twins = neighbourhood(reference, node_names(reference), side)
    _, group, size = np.unique(twins, return_inverse=True, return_counts=True)
    movable = np.flatnonzero(size[group] > 1)
    if len(movable) == 0:
        return matching
    of = matching.of[side].copy()
    their_group = np.full(len(other.degrees[side]), -1)
    their_group[of[movable]] = group[movable]
    our_group = np.full(len(group), -1)
    our_group[movable] = group[movable]

    across = 1 - side
    pairs = shared_neighbours(
        _edges_of(reference, side, our_group, matching.of[across]),
        _edges_of(other, side, their_group, np.arange(len(other.degrees[across]))),
        MAX_EDGE_PAIRS,
    )
    taken = assign_greedily(pairs.left, pairs.right, pairs.aligned)
    left, right = pairs.left[taken], pairs.right[taken]
    # What no pair of edges spoke for keeps within its group, in any order.
    left_over = np.setdiff1d(movable, left)
    free = np.setdiff1d(of[movable], right)
    of[left] = right
    of[left_over[np.argsort(our_group[left_over], kind="stable")]] = free[
        np.argsort(their_group[free], kind="stable")
    ]
    return Matching((of, matching.of[ITEM]) if side == USER else (matching.of[USER], of))


def _edges_of(
    graph: InteractionGraph, side: int, group: np.ndarray, across_name: np.ndarray
) -> Edges:
    """The edges of the nodes of `side` in a group; a key is a neighbour and the group."""
    edge = np.flatnonzero(group[graph.ends[side]] >= 0)
    node = graph.ends[side][edge]
    neighbour = across_name[graph.ends[1 - side][edge]]
    return Edges(node, neighbour * (group.max() + 1) + group[node], graph.position[edge])
