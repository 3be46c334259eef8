"""What is known of items beside who interacted with them: genres and the year.

Shapes: N items, G genres.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ItemFeatures:
    """Genres as compressed sparse rows, and years.

    Item i's genres are `genres[offsets[i]:offsets[i + 1]]`; item 0 is padding and has none.

    Attributes:
        names: of the G genres, in the order of their numbers; empty where none are known.
        offsets: int64 [N + 2], from 0, never falling, the last one is len(genres).
        genres: int32, numbers from 0.
        years: int32 [N + 1], 0 where the year is not known.
    """

    names: tuple[str, ...]
    offsets: np.ndarray
    genres: np.ndarray
    years: np.ndarray
