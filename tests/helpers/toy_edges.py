"""Interactions as (user, item) pairs, and renamed copies of them."""

import numpy as np

from sasrec.comparing.datasets.graph import InteractionGraph

Edge = tuple[int, int]


def renamed(
    edges: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The edges under new names, grouped by the new users; the new names of 0, 1, ..."""
    users = rng.permutation(edges[:, 0].max() + 1)
    items = rng.permutation(edges[:, 1].max() + 1)
    result = np.stack([users[edges[:, 0]], items[edges[:, 1]]], axis=1)
    return result[np.argsort(result[:, 0], kind="stable")], users, items


def random_edges(seed: int, num_users: int = 61, num_items: int = 43) -> np.ndarray:
    """Sequences of 5 to 15 items, a few items twice; every user and item occurs."""
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(2, num_items + 2)
    sequences = [
        rng.choice(num_items, size=rng.integers(5, 16), p=weights / weights.sum())
        for _ in range(num_users)
    ]
    sequences[0] = rng.permutation(num_items)
    return np.array([(user, item) for user, items in enumerate(sequences) for item in items])


def graph_of(edges: list[Edge] | np.ndarray) -> InteractionGraph:
    edges = np.asarray(edges)
    return InteractionGraph(edges[:, 0], edges[:, 1])


def swap_neighbours(edges: np.ndarray, rng: np.random.Generator, number: int) -> np.ndarray:
    """Exchange some neighbours in time within users, as if equal times were ordered anew."""
    edges = edges.copy()
    for row in rng.choice(len(edges) - 1, size=number, replace=False):
        if edges[row, 0] == edges[row + 1, 0]:
            edges[[row, row + 1], 1] = edges[[row + 1, row], 1]
    return edges
