"""Each baseline against loops over users and items; the same candidates and ties as a model's."""

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from toy_ranking import NUM_ITEMS, allowed_items, loop_rank, model_with_scores, random_case, rank
from toys import SECTIONS, toy_sequences

from sasrec.data import cosines
from sasrec.data.sparse_rows import SparseRows
from sasrec.ranking.baselines import neighbours
from sasrec.ranking.baselines.item_scores import LEAST, BaselineScores
from sasrec.ranking.baselines.running import measure_baselines, rank_by_baselines
from sasrec.ranking.baselines.tables import BASELINES
from sasrec.ranking.evaluation import evaluate
from sasrec.ranking.params import EvaluateParams
from sasrec.ranking.ranks import rank_targets

# Item 9 occurs in no sequence, user 3 has one item, user 4 none, user 5 takes items again.
TRAIN = [[1, 2, 3, 1, 4], [2, 3, 4], [5], [], [3, 3, 4, 3, 4], [6, 2, 7, 8]]
ITEMS = range(1, 10)


def toy_params(**changes):
    return EvaluateParams.model_validate(SECTIONS["evaluate"] | changes)


def popularity(train, item):
    return sum(row.count(item) for row in train)


def markov(train, history, item):
    return sum(pair == (history[-1], item) for row in train for pair in pairwise(row))


def cosine(train, one, other):
    both = sum(one in row and other in row for row in train)
    return both / math.sqrt(sum(one in row for row in train) * sum(other in row for row in train))


def near(train, history, item):
    known = [
        one for one in history[-neighbours.RECENT :] if one != item and popularity(train, one) > 0
    ]
    return sum(cosine(train, one, item) for one in known) if popularity(train, item) else 0


# By the name of the baseline, what an item scores beside its popularity.
LOOPS = {"popularity": lambda *_: 0, "markov": markov, "neighbours": near}


def scores_by_loop(name, train, history, items=ITEMS):
    most = max(popularity(train, item) for item in items)
    return [
        LOOPS[name](train, history, item) + LEAST * popularity(train, item) / most for item in items
    ]


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("block", [1, 1 << 22])  # cosines, an item at a time or all at once
def test_scores_equal_loops_over_users_and_items(monkeypatch, name, block):
    monkeypatch.setattr(cosines, "MAX_BLOCK", block)
    baseline = BASELINES[name](toy_sequences(TRAIN), len(ITEMS))
    histories = [[1], [4, 3], [9], [2, 7, 8, 5, 6], [3, 3, 3]]
    found = baseline.scores([np.array(history, np.int32) for history in histories])
    assert found.shape == (5, 10)
    assert (found[:, 0] == 0).all()
    for row, history in zip(found, histories, strict=True):
        assert row[1:] == pytest.approx(scores_by_loop(name, TRAIN, history), rel=1e-6)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("filter_seen", [True, False])
def test_ranks_equal_loops_over_the_same_candidates(name, filter_seen):
    histories, targets = random_case(5)
    train = [histories.of(user).tolist() for user in range(1, histories.num_users + 1)]
    params = toy_params(baselines=[name], filter_seen=filter_seen)
    ((told, ranks),) = rank_by_baselines(histories, targets, histories, NUM_ITEMS, params)
    assert told == name
    scorer = BaselineScores(BASELINES[name](histories, NUM_ITEMS), histories)
    for place, (user, item) in enumerate(zip(targets.users, targets.items, strict=True)):
        history = train[user - 1]
        loop = scores_by_loop(name, train, history, range(1, NUM_ITEMS + 1))
        _, (scores,) = scorer.scores(np.array([user]))
        assert scores[1:].tolist() == pytest.approx(loop, rel=1e-6)
        scores = scores.tolist()  # equal sums of cosines may be rounded apart by the loop
        assert ranks.sampled[place] == loop_rank(scores, item, targets.candidates[place])
        allowed = allowed_items(NUM_ITEMS, history, item, filter_seen=filter_seen)
        assert ranks.full[place] == loop_rank(scores, item, allowed)
        best = sorted(allowed, key=lambda one: -scores[one])[:10]
        listed = [one for one in ranks.top[place] if one]  # it may end early
        assert [scores[one] for one in listed] == [scores[one] for one in best]


def test_popularity_ranks_as_a_model_with_these_scores_does():
    """The candidates, the ties and the filter are those of one function."""
    histories, targets = random_case(7)
    counts = Counter(histories.items.tolist())
    model = model_with_scores([counts[item] for item in range(1, NUM_ITEMS + 1)])
    by_model = rank(model, histories, targets, top_k=4)
    scorer = BaselineScores(BASELINES["popularity"](histories, NUM_ITEMS), histories)
    by_counts = rank_targets(scorer, targets, top_k=4)
    assert by_counts.sampled.tolist() == by_model.sampled.tolist()
    assert by_counts.full.tolist() == by_model.full.tolist()
    assert by_counts.top.tolist() == by_model.top.tolist()


def test_what_nobody_knows_ties():
    """Items 7 to 9 occur in no sequence: a target among them gets the mean of their ranks."""
    train = toy_sequences([[1, 2, 3], [4, 5, 6]])
    for name in BASELINES:
        baseline = BASELINES[name](train, 9)
        scores = baseline.scores([np.array([8])])[0]
        assert scores[7] == scores[8] == scores[9] == 0
        assert loop_rank(scores, 7, range(1, 10)) == 6 + 1 + 2 / 2


def test_a_count_and_a_cosine_weigh_more_than_popularity():
    """After 2 came 3 once, and item 1 is in every sequence but never beside 2."""
    train = toy_sequences([[2, 3], *([1] for _ in range(500))])
    for name in ("markov", "neighbours"):
        scores = BASELINES[name](train, 3).scores([np.array([2])])[0]
        assert scores.argmax() == 3
        assert scores[1] > scores[2] > 0


def test_only_the_greatest_cosines_are_kept_where_memory_ends(monkeypatch):
    train = toy_sequences(TRAIN)
    whole = cosines.cosines(train, 9, keep=9).sums([np.array([item]) for item in range(10)])
    monkeypatch.setattr(neighbours, "MAX_KEPT", 2 * 9)
    kept = neighbours.fit_neighbours(train, 9).rows
    assert (np.diff(kept.offsets) <= 2).all()
    for item, row in enumerate(kept.sums([np.array([item]) for item in range(10)])):
        assert sorted(row)[-2:] == sorted(whole[item])[-2:]
        assert (row > 0).sum() == min(2, (whole[item] > 0).sum())


def test_sums_of_rows_by_hand():
    rows = SparseRows(
        np.array([0, 0, 2, 2, 3]), np.array([2, 3, 1], np.int32), np.array([0.5, 2, 4], np.float32)
    )
    chosen = [np.array([1, 1, 3]), np.array([2]), np.array([], np.int64), np.array([3])]
    assert rows.sums(chosen).tolist() == [[0, 4, 1, 4], [0] * 4, [0] * 4, [0, 4, 0, 0]]


def test_a_line_and_the_metrics_of_a_model_for_each():
    histories, targets = random_case(11)
    lines = []
    params = toy_params(baselines=["markov", "popularity"], ks=[3])
    found = measure_baselines(histories, targets, histories, NUM_ITEMS, params, report=lines.append)
    assert list(found) == ["markov", "popularity"]
    for name, line in zip(found, lines, strict=True):
        scorer = BaselineScores(BASELINES[name](histories, NUM_ITEMS), histories)
        ranks = rank_targets(scorer, targets, top_k=10)
        at_ten = (ranks.sampled <= 10).mean()
        assert line.startswith(f"baseline {name}: sampled_7 HR@10 {at_ten:.4f} NDCG@10 ")
        assert line.endswith(" s")
        expected = evaluate(ranks, targets, histories, NUM_ITEMS, params).metrics
        expected["full"].pop("target_in_history")
        assert found[name] == expected
