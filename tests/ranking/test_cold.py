"""New items ranked among themselves and among all, against a loop over items."""

import numpy as np
import pytest
import torch
from toy_ranking import NUM_ITEMS, random_model
from toys import SECTIONS, toy_sequences

from sasrec.batching.batches import SequenceReader
from sasrec.data.cold import ColdTest
from sasrec.ranking.baselines.item_scores import BaselineScores
from sasrec.ranking.baselines.popularity import fit_popularity
from sasrec.ranking.cold import chance_of, lines_of, measure_cold
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.scoring import ModelScores

COLD = [2, 3, 5, 7, 11, 13, 17]
# User 3 has no target; user 4's is taken again.
HISTORIES = [[1, 4], [6, 2, 8, 3], [], [9, 13, 10, 5, 13], [12, 11]]
USERS, TARGETS = [1, 2, 4, 5], [7, 17, 13, 2]
TRAIN = toy_sequences([[1, 4, 6], [6, 8, 1], [1, 1]])


def params_of(filter_seen):
    changes = {"filter_seen": filter_seen, "bootstrap_samples": 100}
    return EvaluateParams.model_validate(SECTIONS["evaluate"] | changes)


@pytest.fixture
def test():
    histories = toy_sequences(HISTORIES)
    return ColdTest(*(np.array(COLD), histories), np.array(USERS), np.array(TARGETS))


@pytest.fixture
def scorers(test):
    warm = test.warm_histories(NUM_ITEMS)
    assert [warm.of(user).tolist() for user in USERS] == [[1, 4], [6, 8], [9, 10], [12]]
    reader = SequenceReader(warm, 5, torch.device("cpu"), layout="packed")
    popularity = BaselineScores(fit_popularity(TRAIN, NUM_ITEMS), warm)  # as measured
    return {"model": ModelScores(random_model(seed=3).eval(), reader), "popularity": popularity}


def expected_ranks(scorer, ranked, filter_seen):
    """The rank of each target, and the number of items that it is ranked among, with it."""
    found = []
    for user, target in zip(USERS, TARGETS, strict=True):
        scores = scorer.scores(np.array([user]))[1][0].detach().tolist()
        seen = HISTORIES[user - 1] if filter_seen else []
        others = [item for item in ranked if item not in seen and item != target]
        higher = sum(scores[item] > scores[target] for item in others)
        ties = sum(scores[item] == scores[target] for item in others)
        found.append((1 + higher + ties / 2, len(others) + 1))
    return found


@pytest.mark.parametrize("filter_seen", [True, False])
def test_each_number_equals_a_loop(test, scorers, filter_seen, monkeypatch):
    monkeypatch.setattr("sasrec.ranking.cold.K", 3)  # of 7 and of 23
    monkeypatch.setattr("sasrec.ranking.cold.SHOWN", ("HR@3", "NDCG@3"))
    measured = measure_cold(scorers["model"], TRAIN, test, params_of(filter_seen))
    assert (measured["items"], measured["targets"]) == (7, 4)
    for among, ranked in (("among_cold", COLD), ("among_all", range(1, NUM_ITEMS + 1))):
        assert list(measured[among]) == ["model", "popularity", "chance"]
        for name, scorer in scorers.items():
            ranks = [rank for rank, _ in expected_ranks(scorer, ranked, filter_seen)]
            gains = [1 / np.log2(rank + 1) if rank <= 3 else 0 for rank in ranks]
            found = measured[among][name]
            assert found["HR@3"]["mean"] == np.mean([rank <= 3 for rank in ranks])
            assert found["NDCG@3"]["mean"] == pytest.approx(np.mean(gains), abs=1e-6)
            assert all(one["low"] <= one["mean"] <= one["high"] for one in found.values())
        sizes = [size for _, size in expected_ranks(scorers["model"], ranked, filter_seen)]
        chance = {name: one["mean"] for name, one in measured[among]["chance"].items()}
        gain = 1 + 1 / np.log2(3) + 1 / 2
        assert chance["HR@3"] == pytest.approx(np.mean([3 / size for size in sizes]), abs=1e-6)
        assert chance["NDCG@3"] == pytest.approx(np.mean([gain / s for s in sizes]), abs=1e-6)


def test_chance_where_fewer_than_ten_items_are_ranked():
    chance = chance_of(np.array([2, 40]))
    assert chance["HR@10"] == pytest.approx((1 + 1 / 4) / 2)
    gains = 1 / np.log2(np.arange(2, 12))
    assert chance["NDCG@10"] == pytest.approx((gains[:2].sum() / 2 + gains.sum() / 40) / 2)


def test_what_people_read(test, scorers):
    measured = measure_cold(scorers["model"], TRAIN, test, params_of(True))
    first, cold, every = lines_of(measured)
    assert first == "new items: 7 that training never saw, 4 users"
    assert cold.startswith("among_cold: model HR@10 1.0000 NDCG@10 ")
    assert "popularity HR@10 1.0000 NDCG@10" in cold
    assert every.split("chance HR@10 ")[1].startswith("0.4")
