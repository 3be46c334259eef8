"""Why an item is recommended: the items of the history that its score rests on.

Shapes: V items of the history, k recommended items, D hidden size.
"""

import numpy as np
import torch

from sasrec.batching.batches import SequenceReader
from sasrec.model.needs import columns_in, model_needs
from sasrec.model.sasrec import SASRec
from sasrec.recommending.histories import without_each

MOST = 3  # reasons of an item
MAX_PAIRS = 1 << 24  # of positions in attention, of the sequences of a batch
Reason = tuple[int, float | None]  # an item of the history, and the score that is lost without it


@torch.inference_mode()
def find_reasons(
    model: SASRec, reader: SequenceReader, user: int, items: np.ndarray
) -> list[list[Reason]]:
    """What each of `items` (int [k]), recommended to `user`, rests on: three reasons at the most.

    Each item that the model sees of the history is taken out of it, wherever it occurs, and the
    rest is scored as if the user had never taken it: what came before moves up. All these
    sequences are scored in batches. What an item's score then loses is how much it rests on what
    was taken out. The losses do not add up to the score, and two items that say the same may
    stand in for each other.

    Returns: for each of `items` the largest losses, the largest first. Where taking an item out
        loses nothing, it is no reason. Of a history of one item nothing is left to compare with:
        the loss is None.
    """
    own, length = reader.sequences.of(user), reader.max_length
    if (own == own[0]).all():
        return [[(int(own[0]), None)] for _ in items]
    taken = np.unique(own[-length:])
    states = _states(model, reader, user, taken)  # [V + 1, D]
    scores = states @ model.score.items(model.item_tables[-1][torch.from_numpy(items)]).T
    lost = (scores[-1] - scores[:-1]).numpy()  # [V, k]
    return [_largest(taken, one) for one in lost.T]


def _largest(taken: np.ndarray, lost: np.ndarray) -> list[Reason]:
    order = np.argsort(-lost, kind="stable")[:MOST]
    return [(int(taken[place]), float(lost[place])) for place in order if lost[place] > 0]


def _states(model: SASRec, reader: SequenceReader, user: int, taken: np.ndarray) -> torch.Tensor:
    """The last states without each of `taken` (int [V]), then of the whole history: [V + 1, D]."""
    length, columns = reader.max_length, columns_in(model_needs(model.config))
    sequences = without_each(reader.sequences, user, taken, length)
    own = SequenceReader(sequences, length, reader.device, layout=reader.layout, columns=columns)
    size = int(np.clip(MAX_PAIRS // length**2, 1, 128))
    shape = (sequences.num_users, model.config.hidden_size)
    states = model.item_embedding.new_empty(shape)
    for start in range(1, sequences.num_users + 1, size):
        users = np.arange(start, min(start + size, sequences.num_users + 1))
        batch, rows = own.histories(users)
        states[rows - 1] = model.last_states(batch)
    return states
