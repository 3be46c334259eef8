"""How new items are ranked: the test on those that split held out of training.

Shapes: N items, C of them cold, E users with a target among them.

The model reads the warm part of a history. A target is ranked among the cold items, where how
popular an item is says nothing, and among all of them. A user's earlier cold items are left out
like the rest of the history.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sasrec.base.rounding import rounded
from sasrec.data.cold import ColdTest
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.ranking.baselines.item_scores import BaselineScores
from sasrec.ranking.baselines.popularity import fit_popularity
from sasrec.ranking.metrics import bootstrap_intervals, metric_values, summarise
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import rank_targets
from sasrec.ranking.scoring import Scorer

K = 10
SHOWN = (f"HR@{K}", f"NDCG@{K}")
AMONG = ("among_cold", "among_all")


class AmongItems(Scorer):
    """The scores of another scorer, -inf for all but some items: those are not ranked.

    Args:
        scorer: of the warm histories.
        histories: the same with cold items, which are seen too.
        ranked: bool [N + 1], the items to rank.
    """

    def __init__(self, scorer: Scorer, histories: Sequences, ranked: np.ndarray) -> None:
        self._scorer = scorer
        self._histories = histories
        self._others = torch.from_numpy(np.flatnonzero(~ranked)).to(scorer.device)

    @property
    def histories(self) -> Sequences:
        return self._histories

    @property
    def num_items(self) -> int:
        return self._scorer.num_items

    @property
    def device(self) -> torch.device:
        return self._scorer.device

    def scores(self, users: np.ndarray) -> tuple[np.ndarray, Tensor]:
        """As `Scorer` says."""
        users, scores = self._scorer.scores(users)
        scores[:, self._others] = -torch.inf
        return users, scores

    def while_ranking(self) -> AbstractContextManager[None]:
        return self._scorer.while_ranking()


def measure_cold(
    model: Scorer, train: Sequences, test: ColdTest, params: EvaluateParams
) -> dict[str, Any]:
    """What metrics/test_details.json tells of new items.

    Args:
        model: of the warm histories of `test`.
        train: what popularity is counted in.

    Returns: the numbers of cold `items` and of `targets`; and for both of AMONG, of `model` and
        `popularity`, the `mean` of HR@10 and NDCG@10 with its 95% interval from `low` to `high`,
        and as `chance` the mean of a ranking at random.
    """
    num_items = model.num_items
    popularity = BaselineScores(fit_popularity(train, num_items), model.histories)
    scorers = {"model": model, "popularity": popularity}
    counts = {"items": len(test.cold_items), "targets": len(test.users)}
    return counts | {
        among: {name: _describe(scorer, test, ranked, params) for name, scorer in scorers.items()}
        | {"chance": {name: {"mean": value} for name, value in chance.items()}}
        for among, ranked, chance in _protocols(test, num_items, params)
    }


def lines_of(measured: dict[str, Any]) -> Iterator[str]:
    """What `measure_cold` found, in words for people."""
    yield f"new items: {measured['items']:,} that training never saw, {measured['targets']:,} users"
    for among in AMONG:
        shown = [
            " ".join([name, *(f"{key} {value['mean']:.4f}" for key, value in found.items())])
            for name, found in measured[among].items()
        ]
        yield f"{among}: {'  '.join(shown)}"


def chance_of(counts: np.ndarray) -> dict[str, float]:
    """The mean of each of SHOWN where a user's ranks from 1 to `counts` [E] are as likely."""
    values = metric_values(np.arange(1, K + 1, dtype=np.float64), (K,))
    sums = {name: np.concatenate([[0], np.cumsum(values[name])]) for name in SHOWN}
    return {name: float((sums[name][np.minimum(counts, K)] / counts).mean()) for name in SHOWN}


def _protocols(
    test: ColdTest, num_items: int, params: EvaluateParams
) -> Iterator[tuple[str, np.ndarray, dict[str, float]]]:
    """Each of AMONG, the items that it ranks (bool [N + 1]) and its chance level."""
    every = np.arange(num_items + 1) > 0
    for among, ranked in zip(AMONG, (test.is_cold(num_items), every), strict=True):
        counts = np.full(len(test.users), ranked.sum())
        if params.filter_seen:
            for row, (user, target) in enumerate(zip(test.users, test.items, strict=True)):
                seen = np.unique(test.histories.of(user))
                counts[row] -= ranked[seen[seen != target]].sum()
        yield among, ranked, rounded(chance_of(counts))


def _describe(
    scorer: Scorer, test: ColdTest, ranked: np.ndarray, params: EvaluateParams
) -> dict[str, dict[str, float]]:
    targets = Targets(test.users, test.items, np.zeros((len(test.users), 1), np.int32))
    among = AmongItems(scorer, test.histories, ranked)
    ranks = rank_targets(among, targets, filter_seen=params.filter_seen).full
    generator = np.random.default_rng(params.seed)
    intervals = bootstrap_intervals(
        ranks, (K,), samples=params.bootstrap_samples, generator=generator
    )
    means = summarise(ranks, (K,))
    return rounded({name: {"mean": means[name], **intervals[name]} for name in SHOWN})
