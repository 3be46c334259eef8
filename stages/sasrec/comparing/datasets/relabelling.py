"""Find a renaming of users and items that turns one data set into another.

The question is whether two bipartite multigraphs are isomorphic. Colour refinement settles it
for nearly all nodes of real data; the rest are nodes with the very same neighbours, which may
be paired freely, and true symmetries, where one pair is fixed, colours are refined again, and
the choice is taken back if the colours then differ (individualisation and refinement; McKay
and Piperno, Practical graph isomorphism II, 2014).
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from sasrec.comparing.datasets.agreement import align_order, node_names
from sasrec.comparing.datasets.graph import (
    ITEM,
    SIDES,
    USER,
    InteractionGraph,
    Matching,
    Pair,
    common_interactions,
    degree_colours,
    mix,
    neighbourhood,
    position_keys,
    refine,
)

MAX_EDGE_VISITS = 1_000_000_000  # about a minute
MAX_ROUNDS = 5_000
MAX_OPEN_CHOICES = 64

Colours = tuple[Pair, Pair]  # of the reference and of the other


class _Choice(NamedTuple):
    """A node of the reference and the nodes of the other that it may still be paired with."""

    colours: Colours
    side: int
    node: int
    candidates: list[int]


def find_relabelling(reference: InteractionGraph, other: InteractionGraph) -> Matching | None:
    """A matching under which the interactions are the same multiset, or None if none was found.

    One that keeps the order of all sequences is looked for first; otherwise, of matchings that
    differ only in nodes with the same neighbours, one that keeps more of it is preferred.
    The search is bounded: on large data with many symmetries None is no proof.
    """
    for side in SIDES:
        if not np.array_equal(np.sort(reference.degrees[side]), np.sort(other.degrees[side])):
            return None
    in_order = _Search(reference, other, (position_keys(reference), position_keys(other))).run()
    if in_order is not None:
        return in_order
    matching = _Search(reference, other, (None, None)).run()
    return None if matching is None else align_order(reference, other, matching)


class _Search:
    """A depth-first search over the choices that colour refinement leaves open."""

    def __init__(
        self,
        reference: InteractionGraph,
        other: InteractionGraph,
        edge_keys: tuple[np.ndarray | None, np.ndarray | None],
    ) -> None:
        self.graphs = (reference, other)
        self.edge_keys = edge_keys
        self.order_keys = tuple(position_keys(graph) for graph in self.graphs)
        self.twins = tuple(
            tuple(neighbourhood(graph, node_names(graph), side, keys) for side in SIDES)
            for graph, keys in zip(self.graphs, edge_keys, strict=True)
        )
        self.rounds_left = min(MAX_ROUNDS, MAX_EDGE_VISITS // reference.num_interactions)

    def run(self) -> Matching | None:
        start = tuple(degree_colours(graph) for graph in self.graphs)
        open_choices: deque[_Choice] = deque(maxlen=MAX_OPEN_CHOICES)
        colours = self._settle(start)
        while self.rounds_left > 0:
            if colours is not None:
                choice = self._next_choice(colours)
                if choice is None:
                    matching = _pair_by_colour(colours)
                    if common_interactions(*self.graphs, matching).reference.all():
                        return matching
                else:
                    open_choices.append(choice)
            while open_choices and not open_choices[-1].candidates:
                open_choices.pop()
            if not open_choices:
                return None
            latest = open_choices[-1]
            colours = self._settle(_fix_pair(latest, latest.candidates.pop()))
        return None

    def _settle(self, colours: Colours) -> Colours | None:
        """Refine until no class splits, pair twins; None when the two sides' colours differ."""
        num_nodes = sum(len(nodes) for nodes in colours[0])
        num_classes = 0
        while self.rounds_left > 0:
            ours, theirs = (tuple(np.sort(nodes) for nodes in pair) for pair in colours)
            if not all(np.array_equal(ours[side], theirs[side]) for side in SIDES):
                return None
            before = num_classes
            num_classes = sum(1 + np.count_nonzero(np.diff(nodes)) for nodes in ours)
            if num_classes == num_nodes:
                return colours
            if num_classes == before:
                return self._split_twins(colours)
            self.rounds_left -= 1
            colours = tuple(
                refine(graph, pair, keys)
                for graph, pair, keys in zip(self.graphs, colours, self.edge_keys, strict=True)
            )
        return None

    def _split_twins(self, colours: Colours) -> Colours:
        """Tell apart the members of each class whose nodes all have the same neighbours."""
        split = ([], [])
        for side in SIDES:
            orders = [self._sort_class_members(colours, side, which) for which in (0, 1)]
            starts, sizes = _classes(colours[0][side][orders[0]])
            free = sizes > 1
            for which in (0, 1):
                twins = self.twins[which][side][orders[which]]
                least = np.minimum.reduceat(twins, starts)
                free &= least == np.maximum.reduceat(twins, starts)
            rank = np.arange(sizes.sum()) - np.repeat(starts, sizes)
            shift = mix(np.where(np.repeat(free, sizes), rank, 0))
            for which in (0, 1):
                coloured = colours[which][side].copy()
                coloured[orders[which]] = mix(coloured[orders[which]] + shift)
                split[which].append(coloured)
        return tuple(split[0]), tuple(split[1])

    def _order_hash(self, colours: Colours, side: int, which: int) -> np.ndarray:
        """What the order in time says about each node, as evidence where the choice is free."""
        return neighbourhood(self.graphs[which], colours[which], side, self.order_keys[which])

    def _sort_class_members(self, colours: Colours, side: int, which: int) -> np.ndarray:
        return np.lexsort((self._order_hash(colours, side, which), colours[which][side]))

    def _next_choice(self, colours: Colours) -> _Choice | None:
        """A smallest class of several nodes: its first node and whom it may be paired with."""
        smallest = None
        for side in SIDES:
            order = np.argsort(colours[0][side], kind="stable")
            starts, sizes = _classes(colours[0][side][order])
            several = np.flatnonzero(sizes > 1)
            if len(several):
                best = several[np.argmin(sizes[several])]
                if smallest is None or sizes[best] < smallest[0]:
                    smallest = (sizes[best], side, order[starts[best]])
        if smallest is None:
            return None
        _, side, node = smallest
        members = np.flatnonzero(colours[1][side] == colours[0][side][node])
        # Of nodes with the same neighbours one is enough.
        _, first = np.unique(self.twins[1][side][members], return_index=True)
        members = members[np.sort(first)]
        wanted = self._order_hash(colours, side, 0)[node]
        in_order = self._order_hash(colours, side, 1)[members] == wanted
        # The last is tried first.
        candidates = np.concatenate([members[~in_order][::-1], members[in_order][::-1]])
        return _Choice(colours, side, int(node), candidates.tolist())


def _fix_pair(choice: _Choice, candidate: int) -> Colours:
    """Give a pair of nodes a colour of its own."""
    result = []
    for pair, node in zip(choice.colours, (choice.node, candidate), strict=True):
        nodes = [colours.copy() for colours in pair]
        nodes[choice.side][node] = mix(nodes[choice.side][node : node + 1] + np.uint64(1))[0]
        result.append(tuple(nodes))
    return result[0], result[1]


def _classes(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts and sizes of the runs of equal values in a sorted array."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return starts, np.diff(np.r_[starts, len(ordered)])


def _pair_by_colour(colours: Colours) -> Matching:
    """The matching of equal colours, where every colour occurs once on each side."""
    of = []
    for side in (USER, ITEM):
        counterpart = np.empty(len(colours[0][side]), dtype=np.int64)
        counterpart[np.argsort(colours[0][side])] = np.argsort(colours[1][side])
        of.append(counterpart)
    return Matching((of[0], of[1]))
