"""How near items are by the users that they share, in sequences.

Two items are as near as the cosine of their columns in the matrix of users and items, which holds
1 where a user interacted with an item, however often: users of both / sqrt(users of one * users of
the other) (Sarwar et al. 2001). An item is not near itself.

Shapes: U users, N items.
"""

import warnings

import numpy as np
import torch
from torch import Tensor

from sasrec.data.sequences import Sequences
from sasrec.data.sparse_rows import SparseRows, entries_of, offsets_of
from sasrec.data.unseen import known_pairs

MAX_BLOCK = 1 << 22  # cosines of a block of items while they are computed


def cosines(train: Sequences, num_items: int, *, keep: int) -> SparseRows:
    """The greatest `keep` cosines of each item with others, without zeros."""
    users, items = known_pairs(train, np.arange(train.num_users + 1), num_items)
    by_user = offsets_of(users, train.num_users), items
    order = np.argsort(items, kind="stable")
    by_item = offsets_of(items, num_items), users[order]
    scale = 1 / np.sqrt(np.maximum(1, np.diff(by_item[0])))

    found = []
    size = max(1, MAX_BLOCK // (num_items + 1))
    for start in range(0, num_items + 1, size):
        block = np.arange(start, min(start + size, num_items + 1))
        rows, columns, together = _users_of_both(block, by_item, by_user, num_items)
        near = (together * scale[rows] * scale[columns]).astype(np.float32)
        kept = _greatest(rows, np.where(rows == columns, 0, near), keep)
        found.append((rows[kept], columns[kept].astype(np.int32), near[kept]))
    rows, columns, values = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return SparseRows(offsets_of(rows, num_items), columns, values)


def _greatest(rows: np.ndarray, values: np.ndarray, keep: int) -> np.ndarray:
    """Bool: the greatest `keep` of each row that are not 0; `rows` never fall."""
    counts = np.bincount(rows)
    if not len(rows) or counts.max() <= keep:
        return values > 0
    order = np.lexsort((-values, rows))
    places = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)  # in its row
    kept = np.zeros(len(rows), np.bool)
    kept[order] = places < keep
    return kept & (values > 0)


def _users_of_both(
    block: np.ndarray,
    by_item: tuple[np.ndarray, np.ndarray],
    by_user: tuple[np.ndarray, np.ndarray],
    num_items: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many users interacted with both of two items, where any did.

    Args:
        block: the first items, rising.
        by_item, by_user: offsets and users of each item; offsets and items of each user.

    Returns: first items, never falling; second items, int64 both; and numbers, float32.
    """
    places, rows = entries_of(by_item[0], block)
    users, columns = np.unique(by_item[1][places], return_inverse=True)
    left = _ones(rows, columns, (len(block), len(users)))
    places, rows = entries_of(by_user[0], users)
    right = _ones(rows, by_user[1][places], (len(users), num_items + 1))
    with warnings.catch_warnings():  # torch says that a format which it uses inside is new
        warnings.simplefilter("ignore", UserWarning)
        both = torch.sparse.mm(left, right).coalesce()
    first, second = both.indices().numpy()
    return first + block[0], second, both.values().numpy()


def _ones(rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> Tensor:
    places = torch.from_numpy(np.stack([rows, columns]))
    return torch.sparse_coo_tensor(
        places, torch.ones(len(rows)), shape, is_coalesced=True, check_invariants=False
    )
