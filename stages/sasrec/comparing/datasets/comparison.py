"""Are two data sets equal up to a relabelling of users and items? The answer as a report."""

from typing import Any

import numpy as np

from sasrec.comparing.datasets.agreement import same_positions
from sasrec.comparing.datasets.graph import (
    ITEM,
    SIDES,
    USER,
    Agreement,
    InteractionGraph,
    Matching,
    common_interactions,
)
from sasrec.comparing.datasets.near_matching import find_near_matching
from sasrec.comparing.datasets.relabelling import find_relabelling

NEARLY_EQUAL = 0.01  # share of interactions that may differ in what we call the same data
NUM_EXAMPLES = 10
_FREQUENCIES = {USER: "sequence lengths", ITEM: "item popularities"}


def compare(reference: InteractionGraph, other: InteractionGraph) -> dict[str, Any]:
    """Compare two data sets; plain values throughout, so that the report can go into JSON.

    `equal` says whether some renaming of users and items makes the interactions the same
    multiset. The order of the sequences plays no part in it and is reported under `order`;
    `first_difference` is one sentence, or None.
    """
    matching = find_relabelling(reference, other) or find_near_matching(reference, other)
    common = common_interactions(reference, other, matching)
    equal = bool(common.reference.all() and common.other.all())
    return {
        "equal": equal,
        "first_difference": None if equal else _first_difference(reference, other, common),
        "counts": _counts(reference, other),
        "equal_sequence_lengths": _unequal_rank(reference, other, USER) is None,
        "equal_item_popularities": _unequal_rank(reference, other, ITEM) is None,
        "matching": _describe_matching(reference, other, matching, common),
        "order": _describe_order(reference, other, matching),
    }


def _counts(reference: InteractionGraph, other: InteractionGraph) -> dict[str, dict[str, int]]:
    return {
        name: {
            "users": len(graph.degrees[USER]),
            "items": len(graph.degrees[ITEM]),
            "interactions": graph.num_interactions,
        }
        for name, graph in (("reference", reference), ("other", other))
    }


def _first_difference(
    reference: InteractionGraph, other: InteractionGraph, common: Agreement
) -> str:
    counts = _counts(reference, other)
    for what, ours in counts["reference"].items():
        theirs = counts["other"][what]
        if ours != theirs:
            return (
                f"the number of {what} differs: {ours:,} in the reference, {theirs:,} in the other"
            )
    for side, what in _FREQUENCIES.items():
        rank = _unequal_rank(reference, other, side)
        if rank is not None:
            ours, theirs = (np.sort(graph.degrees[side])[::-1] for graph in (reference, other))
            return (
                f"the sorted {what} differ, from the largest down first at place {rank + 1}: "
                f"{ours[rank]:,} in the reference, {theirs[rank]:,} in the other"
            )
    return (
        "counts, lengths and popularities are the same, but no renaming was found that makes "
        f"the interactions the same: at best {np.count_nonzero(~common.reference):,} differ"
    )


def _unequal_rank(reference: InteractionGraph, other: InteractionGraph, side: int) -> int | None:
    """The first place, from the largest down, at which the sorted frequencies differ."""
    ours, theirs = (np.sort(graph.degrees[side])[::-1] for graph in (reference, other))
    size = min(len(ours), len(theirs))
    unequal = np.flatnonzero(ours[:size] != theirs[:size])
    if len(unequal):
        return int(unequal[0])
    return None if len(ours) == len(theirs) else size


def _describe_matching(
    reference: InteractionGraph, other: InteractionGraph, matching: Matching, common: Agreement
) -> dict[str, Any]:
    inverse = Matching(tuple(matching.inverse(side, len(other.degrees[side])) for side in SIDES))
    only_ours, only_theirs = np.flatnonzero(~common.reference), np.flatnonzero(~common.other)
    total = reference.num_interactions + other.num_interactions
    return {
        "users": int(np.count_nonzero(matching.of[USER] >= 0)),
        "items": int(np.count_nonzero(matching.of[ITEM] >= 0)),
        "common_interactions": int(common.reference.sum()),
        "share_differing": (len(only_ours) + len(only_theirs)) / total,
        "only_in_reference": len(only_ours),
        "only_in_other": len(only_theirs),
        "examples_in_reference": _examples(reference, other, matching, only_ours),
        "examples_in_other": _examples(other, reference, inverse, only_theirs),
    }


def _examples(
    graph: InteractionGraph, across: InteractionGraph, matching: Matching, edges: np.ndarray
) -> list[dict[str, str | None]]:
    """The first differing interactions by raw ids, with the counterparts of user and item."""
    examples = []
    for edge in edges[:NUM_EXAMPLES]:
        example: dict[str, str | None] = {}
        for side, name in ((USER, "user"), (ITEM, "item")):
            node = graph.ends[side][edge]
            counterpart = matching.of[side][node]
            example[name] = str(graph.raw_ids[side][node])
            example[f"{name}_counterpart"] = (
                str(across.raw_ids[side][counterpart]) if counterpart >= 0 else None
            )
        examples.append(example)
    return examples


def _describe_order(
    reference: InteractionGraph, other: InteractionGraph, matching: Matching
) -> dict[str, int]:
    """Positions (from the end), whole sequences and evaluation targets that agree."""
    same = same_positions(reference, other, matching)
    lengths, starts = reference.degrees[USER], reference.starts[USER]
    their_lengths = other.degrees[USER][matching.of[USER]]
    whole = (np.add.reduceat(same.astype(np.int64), starts) == lengths) & (lengths == their_lengths)
    long_enough = lengths >= 2
    return {
        "equal_positions": int(same.sum()),
        "positions": len(same),
        "equal_sequences": int(whole.sum()),
        "sequences": len(lengths),
        "equal_last_items": int(same[starts + lengths - 1].sum()),
        "last_items": len(lengths),
        "equal_last_but_one_items": int(same[(starts + lengths - 2)[long_enough]].sum()),
        "last_but_one_items": int(long_enough.sum()),
    }
