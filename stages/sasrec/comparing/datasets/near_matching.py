"""Match the users and items of two data sets that are nearly equal.

One changed interaction spoils the colours of everything a few steps away, so colours are used
at a small radius only: they give the first pairs. From there the matching grows: nodes whose
matched neighbours are the same are paired, and at last those that share most of them.
"""

import numpy as np

from sasrec.comparing.datasets.graph import (
    SIDES,
    USER,
    InteractionGraph,
    Matching,
    Pair,
    common_interactions,
    degree_colours,
    mix,
    neighbourhood,
    refine,
    repeat_number,
)
from sasrec.comparing.datasets.pairing import (
    Edges,
    assign_greedily,
    best_for_both,
    shared_neighbours,
)

MAX_RADIUS = 3
MAX_EDGE_PAIRS = 2_000_000
MAX_VOTES = 10
MAX_GUESSES = 100
MAX_GUESSED_EDGES = 1_000_000  # guesses times interactions


def find_near_matching(reference: InteractionGraph, other: InteractionGraph) -> Matching:
    """A matching under which many interactions are the same; a node may stay without counterpart.

    Nothing is promised about how many; count them with `common_interactions`.
    """
    growth = _Growth(reference, other)
    growth.grow()
    growth.drop_weak()
    growth.grow()
    guesses = min(MAX_GUESSES, MAX_GUESSED_EDGES // max(g.num_interactions for g in growth.graphs))
    for _ in range(guesses):
        if not growth.guess_users(1):
            break
        growth.grow()
    if growth.guess_users():
        growth.grow()
    growth.pair_by_degree()
    growth.drop_weak()
    return growth.matching


class _Growth:
    """A matching that grows."""

    def __init__(self, reference: InteractionGraph, other: InteractionGraph) -> None:
        self.graphs = (reference, other)
        self.matching = Matching(tuple(np.full(len(reference.degrees[side]), -1) for side in SIDES))

    def grow(self) -> None:
        """Add pairs until none is left that colours, matched neighbours or votes suggest."""
        for radius in range(1, MAX_RADIUS + 1):
            if not self._all_matched():
                self._pair_by_colours(radius)
                self._pair_by_neighbours()
        for _ in range(MAX_VOTES):
            if not self._pair_by_votes():
                break
            self._pair_by_neighbours()

    def guess_users(self, number: int | None = None) -> bool:
        """Pair at most `number` users that look the same; False if no two do."""
        nodes = self._unmatched(USER)
        keys = []
        for colours, members in zip(self._colours(MAX_RADIUS), nodes, strict=True):
            colour = colours[USER][members]
            keys.append(colour + mix(repeat_number(colour)))  # the first of a colour, the second
        _, left, right = np.intersect1d(*keys, return_indices=True)
        self.matching.of[USER][nodes[0][left[:number]]] = nodes[1][right[:number]]
        return len(left) > 0

    def pair_by_degree(self) -> None:
        """Pair what is left, the most frequent with the most frequent."""
        for side in SIDES:
            ours, theirs = (
                nodes[np.argsort(-graph.degrees[side][nodes], kind="stable")]
                for graph, nodes in zip(self.graphs, self._unmatched(side), strict=True)
            )
            size = min(len(ours), len(theirs))
            self.matching.of[side][ours[:size]] = theirs[:size]

    def drop_weak(self) -> None:
        """Undo the pairs that have less than half of the rarer node's interactions in common."""
        reference, other = self.graphs
        common = common_interactions(reference, other, self.matching).reference
        for side in SIDES:
            of = self.matching.of[side]
            shared = np.bincount(reference.ends[side][common], minlength=len(of))
            degree = np.minimum(reference.degrees[side], other.degrees[side][of])
            of[2 * shared < degree] = -1

    def _all_matched(self) -> bool:
        return all(min(map(len, self._unmatched(side))) == 0 for side in SIDES)

    def _counterparts(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """For each graph's nodes, one name per pair: the reference's node number, or -1."""
        of = self.matching.of[side]
        ours = np.where(of >= 0, np.arange(len(of)), -1)
        return ours, self.matching.inverse(side, len(self.graphs[1].degrees[side]))

    def _unmatched(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        ours, theirs = self._counterparts(side)
        return np.flatnonzero(ours < 0), np.flatnonzero(theirs < 0)

    def _pair_names(self) -> tuple[Pair, Pair]:
        """A colour for each pair on both sides; 0 for an unmatched node."""
        users, items = (self._counterparts(side) for side in SIDES)
        ours, theirs = ((mix(u + 1), mix(i + 1)) for u, i in zip(users, items, strict=True))
        return ours, theirs

    def _colours(self, radius: int) -> list[Pair]:
        """Colours that know names of pairs and degrees of others up to `radius` steps away."""
        result = []
        for graph, names in zip(self.graphs, self._pair_names(), strict=True):
            colours = degree_colours(graph)
            colours = tuple(np.where(names[side], names[side], colours[side]) for side in SIDES)
            for _ in range(radius):
                colours = refine(graph, colours)
            result.append(colours)
        return result

    def _pair_by_colours(self, radius: int) -> None:
        ours, theirs = self._colours(radius)
        for side in SIDES:
            self._pair_unique(side, ours[side], theirs[side])

    def _pair_by_neighbours(self) -> None:
        """Pair unmatched nodes of one degree and one set of matched neighbours, while there are."""
        growing = True
        while growing and not self._all_matched():
            growing = False
            for side in SIDES:
                ours, theirs = (
                    self._neighbour_colour(graph, names, side)
                    for graph, names in zip(self.graphs, self._pair_names(), strict=True)
                )
                growing |= self._pair_unique(side, ours, theirs)

    @staticmethod
    def _neighbour_colour(graph: InteractionGraph, names: Pair, side: int) -> np.ndarray:
        matched = neighbourhood(graph, names, side)
        return np.where(matched > 0, mix(matched + mix(graph.degrees[side])), 0)

    def _pair_unique(self, side: int, ours: np.ndarray, theirs: np.ndarray) -> bool:
        """Pair the unmatched nodes whose colour (0: none) is theirs alone in both graphs."""
        unique = []
        nodes = self._unmatched(side)
        for colours, members in zip((ours, theirs), nodes, strict=True):
            values, first, count = np.unique(
                colours[members], return_index=True, return_counts=True
            )
            alone = (count == 1) & (values != 0)
            unique.append((values[alone], members[first[alone]]))
        (our_values, our_nodes), (their_values, their_nodes) = unique
        _, left, right = np.intersect1d(
            our_values, their_values, assume_unique=True, return_indices=True
        )
        self.matching.of[side][our_nodes[left]] = their_nodes[right]
        return len(left) > 0

    def _pair_by_votes(self) -> bool:
        """Pair the unmatched nodes that share the most matched neighbours."""
        growing = False
        for side in SIDES:
            edges = (self._votes(graph, side, which) for which, graph in enumerate(self.graphs))
            pairs = shared_neighbours(*edges, MAX_EDGE_PAIRS)
            # Positions only break ties.
            score = pairs.shared * (pairs.aligned.max(initial=0) + 1) + pairs.aligned
            best = np.flatnonzero(best_for_both(pairs.left, pairs.right, score))
            taken = best[assign_greedily(pairs.left[best], pairs.right[best], score[best])]
            self.matching.of[side][pairs.left[taken]] = pairs.right[taken]
            growing |= len(taken) > 0
        return growing

    def _votes(self, graph: InteractionGraph, side: int, which: int) -> Edges:
        """The edges from unmatched nodes of `side` to matched ones."""
        across = self._counterparts(1 - side)[which][graph.ends[1 - side]]
        own = self._counterparts(side)[which][graph.ends[side]]
        edge = np.flatnonzero((own < 0) & (across >= 0))
        return Edges(graph.ends[side][edge], across[edge], graph.position[edge])
