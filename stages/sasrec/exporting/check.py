"""Whether model.onnx gives PyTorch's scores, on histories of the data.

Shapes: B sequences, L columns of a row, N items.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sasrec.base.errors import UserError
from sasrec.batching.batches import SequenceReader
from sasrec.batching.columns import PADDING
from sasrec.data.sequences import Sequences
from sasrec.exporting.graph import NextItemScores
from sasrec.exporting.onnx_file import ITEMS
from sasrec.ranking.scoring import ModelScores

USERS = 256  # at most
TOP_K = 10
TOLERANCE = 1e-4  # of the largest score: float32 in another order differs by some 1e-6
SCORES_AT_ONCE = 2**24


class Agreement(NamedTuple):
    """How well the two agree.

    Attributes:
        histories: how many were compared.
        difference: the largest of two scores of an item.
        largest: the largest score, without its sign.
        same_top: for how many histories the best 10 items are the same in the same order; in
            the others, items exchange places whose scores differ by no more than `difference`.
    """

    histories: int
    difference: float
    largest: float
    same_top: int


def check_onnx(path: Path, graph: NextItemScores, sequences: Sequences) -> Agreement:
    """Compare the graph in `path` with the model, on histories of all lengths.

    Raises:
        UserError: they differ, by a score or in the best items.
    """
    users = _some_users(sequences)
    most = max(2, SCORES_AT_ONCE // graph.model.num_items)
    sizes = [1, min(7, most), min(64, most)]  # one user, a few, many: B is open
    reader = SequenceReader(
        sequences, graph.max_length, torch.device("cpu"), layout="grouped", columns=graph.columns
    )
    scorer, run = ModelScores(graph.model, reader), _session(path)
    found = []
    while len(users):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        part, users = users[:size], users[size:]
        with torch.inference_mode():
            order, wanted = scorer.scores(part)
        feed = _padded(sequences, order, graph)
        (scores,) = run(None, feed)
        found.append(_compare(wanted.numpy()[:, 1:], scores[:, 1:]))
    together = _joined(found)
    if not together.difference <= TOLERANCE * together.largest:
        raise UserError(
            f"model.onnx differs from PyTorch by {together.difference:.2g}, where scores go to "
            f"{together.largest:.3g}: it was not kept; other versions of the packages in "
            "requirements-export.txt may help"
        )
    return together


def _some_users(sequences: Sequences) -> np.ndarray:
    """At most USERS who have a history, from the shortest to the longest: int64 [U]."""
    lengths = sequences.lengths
    known = np.flatnonzero(lengths)
    known = known[np.argsort(lengths[known], kind="stable")]
    if not len(known):
        raise UserError("data/interactions has no history to check model.onnx with")
    return known[np.unique(np.linspace(0, len(known) - 1, min(USERS, len(known))).astype(np.int64))]


def _session(path: Path):  # noqa: ANN202, the package is not always there
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]).run


def _padded(
    sequences: Sequences, users: np.ndarray, graph: NextItemScores
) -> dict[str, np.ndarray]:
    """The inputs of the graph, a user a row, padding first: [B, L] each."""
    kept = np.minimum(sequences.lengths[users], graph.max_length)
    stops = sequences.offsets[users + 1]
    width = int(kept.max())
    places = stops[:, None] - width + np.arange(width)
    real = np.arange(width) >= width - kept[:, None]
    values = {ITEMS: (sequences.items, 0)}
    values |= {name: (sequences.columns[name], PADDING[name]) for name in graph.columns}
    feed = {
        name: np.where(real, column[places.clip(min=0)], padding).astype(column.dtype)
        for name, (column, padding) in values.items()
    }
    return feed | {ITEMS: feed[ITEMS].astype(np.int64)}


def _joined(found: list[Agreement]) -> Agreement:
    """Of all batches; NaN in any of them stays."""
    return Agreement(
        sum(one.histories for one in found),
        float(np.max([one.difference for one in found])),
        float(np.max([one.largest for one in found])),
        sum(one.same_top for one in found),
    )


def _compare(wanted: np.ndarray, found: np.ndarray) -> Agreement:
    """Of scores [B, N]."""
    with np.errstate(invalid="ignore"):
        difference = float(np.abs(wanted - found).max())
    tops = [np.argsort(-scores, 1, kind="stable")[:, :TOP_K] for scores in (wanted, found)]
    same = int((tops[0] == tops[1]).all(1).sum())
    return Agreement(len(wanted), difference, float(np.abs(wanted).max()), same)
