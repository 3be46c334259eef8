"""Interactions as a bipartite multigraph of users and items, with colours that ignore names.

A colour is a 64-bit hash of what is known about a node without its name. One round of colour
refinement (Weisfeiler and Leman, 1968) replaces each node's colour by a hash of itself and of
the multiset of its neighbours' colours. Hashes are summed over the edges, so that the order of
the edges plays no part. Equal colours are evidence only: whoever needs certainty compares the
edges in the end.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

USER, ITEM = 0, 1
SIDES = (USER, ITEM)

Pair = tuple[np.ndarray, np.ndarray]  # one array for the users, one for the items


class InteractionGraph:
    """Users, items and one edge for each interaction.

    Args:
        users: raw user id of each interaction, shape [E], any integer or string dtype; a user's
            interactions are in chronological order, users may be interleaved.
        items: raw item id of each interaction, shape [E].

    Attributes:
        ends: (users, items), int64 [E] each: node numbers from 0, sorted by user then time.
        raw_ids: (users, items): the raw id of each node, ascending.
    """

    def __init__(self, users: np.ndarray, items: np.ndarray) -> None:
        assert len(users) == len(items) > 0, (len(users), len(items))
        order = np.argsort(users, kind="stable")
        user_ids, user = np.unique(users[order], return_inverse=True)
        item_ids, item = np.unique(items[order], return_inverse=True)
        self.ends: Pair = (user.astype(np.int64), item.astype(np.int64))
        self.raw_ids: Pair = (user_ids, item_ids)

    @property
    def num_interactions(self) -> int:
        return len(self.ends[USER])

    @cached_property
    def degrees(self) -> Pair:
        """Sequence lengths and item popularities, int64 [users] and [items], all positive."""
        return tuple(np.bincount(end) for end in self.ends)

    @cached_property
    def starts(self) -> Pair:
        """Where each node's edges start when the edges are sorted by that side."""
        return tuple(np.cumsum(degree) - degree for degree in self.degrees)

    @cached_property
    def position(self) -> np.ndarray:
        """Place of each interaction in its user's sequence, from 0, int64 [E]."""
        return np.arange(self.num_interactions) - self.starts[USER][self.ends[USER]]

    @cached_property
    def _by_item(self) -> np.ndarray:
        return np.argsort(self.ends[ITEM], kind="stable")

    def sum_over_edges(self, values: np.ndarray, side: int) -> np.ndarray:
        """Sum `values`, uint64 [E], over the edges of each node of `side` (modulo 2^64)."""
        if side == ITEM:
            values = values[self._by_item]
        return np.add.reduceat(values, self.starts[side])


@dataclass(frozen=True)
class Matching:
    """Counterparts: node n of side s in the reference is node `of[s][n]` in the other; -1: none."""

    of: Pair

    def inverse(self, side: int, size: int) -> np.ndarray:
        """The reference's node of each of the other's `size` nodes, or -1, int64 [size]."""
        result = np.full(size, -1)
        known = np.flatnonzero(self.of[side] >= 0)
        result[self.of[side][known]] = known
        return result


class Agreement(NamedTuple):
    """Interactions that have a counterpart: a boolean for each edge, bool [E] on each side."""

    reference: np.ndarray
    other: np.ndarray


def common_interactions(
    reference: InteractionGraph, other: InteractionGraph, matching: Matching
) -> Agreement:
    """Which edges are the same under `matching`; a repeated edge counts as often as it occurs."""
    user, item = (matching.of[side][reference.ends[side]] for side in SIDES)
    num_items = len(other.degrees[ITEM])
    ours = np.where((user >= 0) & (item >= 0), user * num_items + item, -1)
    theirs = other.ends[USER] * num_items + other.ends[ITEM]
    our_repeat, their_repeat = repeat_number(ours), repeat_number(theirs)
    repeats = max(our_repeat.max(), their_repeat.max()) + 1
    ours = np.where(ours >= 0, ours * repeats + our_repeat, -1)
    theirs = theirs * repeats + their_repeat
    return Agreement(np.isin(ours, theirs), np.isin(theirs, ours))


def repeat_number(keys: np.ndarray) -> np.ndarray:
    """How many equal keys stand before each key, int64: [7, 4, 7, 7] gives [0, 0, 1, 2]."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.searchsorted(ordered, ordered, side="left")
    result = np.empty(len(keys), dtype=np.int64)
    result[order] = np.arange(len(keys)) - first
    return result


def mix(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit integers: the finaliser of SplitMix64 (Steele et al., 2014); mix(0) = 0."""
    values = values.astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def position_keys(graph: InteractionGraph) -> np.ndarray:
    """A hash of each edge's position, uint64 [E]: colours that use it see the order in time."""
    return mix(graph.position + 1)


def degree_colours(graph: InteractionGraph) -> Pair:
    """Colours that know a node's number of interactions, uint64."""
    return tuple(mix(degree) for degree in graph.degrees)


def neighbourhood(
    graph: InteractionGraph, colours: Pair, side: int, edge_keys: np.ndarray | None = None
) -> np.ndarray:
    """Hash the multiset of each node's neighbours' colours, uint64 [nodes of `side`].

    A neighbour of colour 0 is left out. With `edge_keys`, uint64 [E], an edge's key counts too.
    """
    across = 1 - side
    values = mix(colours[across])[graph.ends[across]]
    if edge_keys is not None:
        values = mix(values + edge_keys)
    return graph.sum_over_edges(values, side)


def refine(graph: InteractionGraph, colours: Pair, edge_keys: np.ndarray | None = None) -> Pair:
    """One round of colour refinement of both sides at once."""
    return tuple(
        mix(mix(colours[side]) + neighbourhood(graph, colours, side, edge_keys) * np.uint64(3))
        for side in SIDES
    )
