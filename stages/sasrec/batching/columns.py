"""What columns hold of places where there is no interaction, or no longer the same item."""

from collections.abc import Mapping

from torch import Tensor

# What stands where there is no interaction, by the names of COLUMNS in data/sequences.py.
PADDING = {"rating": float("nan"), "timestamp": 0}


def of_other_items(columns: Mapping[str, Tensor], where: Tensor) -> dict[str, Tensor]:
    """`columns` once other items, or none, stand at some places: bool `where`, of their shape.

    The ratings of such places are not known. A time stays: it is that of the interaction whose
    place the item takes.
    """
    return {
        name: column.masked_fill(where, PADDING[name]) if name == "rating" else column
        for name, column in columns.items()
    }
