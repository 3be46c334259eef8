"""Ranks and top lists against loops over items, with scores that are known or those of a model."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_ranking import (
    NUM_ITEMS,
    allowed_items,
    loop_rank,
    model_with_scores,
    random_case,
    random_model,
    rank,
    scores_alone,
    targets_of,
)
from toys import toy_objective_params, toy_sequences

from sasrec.base.errors import UserError
from sasrec.batching.batches import SequenceReader
from sasrec.data.targets import Targets
from sasrec.model.tables import SCORES
from sasrec.objectives.tables import LOSSES
from sasrec.ranking import ranks as ranking
from sasrec.ranking.ranks import rank_among
from sasrec.ranking.validation import validate

K = 3  # negatives a position, in training
BINARY, CROSS = (
    LOSSES[name](toy_objective_params(num_negatives=K), NUM_ITEMS)
    for name in ("binary_cross_entropy", "cross_entropy")
)


def test_rank_among_by_hand():
    # Of the second row's four, two are higher and one ties: 1 + 2 + 1/2.
    scores = torch.tensor([[1.0, 2.0, 3.0, 4.0], [9.0, 5.0, 7.0, 1.0], [0.0, 0.0, 0.0, -math.inf]])
    ranks = rank_among(torch.tensor([5.0, 5.0, 0.0]), scores)
    assert ranks.dtype == torch.float64
    assert ranks.tolist() == [1.0, 3.5, 2.5]


@pytest.mark.parametrize("kind", SCORES)
def test_items_are_made_ready_for_their_scores_once(kind, monkeypatch):
    monkeypatch.setattr(ranking, "MAX_SCORES", 1)  # a user a chunk
    made, items = [], SCORES[kind].items
    monkeypatch.setattr(SCORES[kind], "items", lambda *of: made.append(1) or items(*of))
    rank(random_model(1, score=kind), *random_case(1))
    assert len(made) == 1


def test_ranks_by_hand():
    # Scores of the items 1 to 7. The target is item 3 (score 4).
    model = model_with_scores([9, 4, 4, 8, 1, 4, 6])
    sequences = toy_sequences([[1, 2, 5]])
    targets = targets_of([3], [[4, 6, 7]])
    ranks = rank(model, sequences, targets, top_k=3)
    assert ranks.sampled.tolist() == [3.5]  # 4 and 7 are higher, 6 ties
    assert ranks.full.tolist() == [3.5]  # 1, 2 and 5 are in the history
    assert ranks.top[0, :2].tolist() == [4, 7]
    assert ranks.top[0, 2] in (3, 6)
    unfiltered = rank(model, sequences, targets, filter_seen=False, top_k=3)
    assert unfiltered.sampled.tolist() == [3.5]
    assert unfiltered.full.tolist() == [5.0]  # 1, 4, 7 are higher, 2 and 6 tie
    assert unfiltered.top.tolist() == [[1, 4, 7]]


@settings(max_examples=60)
@given(st.data())
def test_ranks_of_known_scores_equal_a_loop(data):
    num_items = data.draw(st.integers(3, 13))
    item = st.integers(1, num_items)
    scores = data.draw(st.lists(st.integers(-2, 2), min_size=num_items, max_size=num_items))
    histories = data.draw(st.lists(st.lists(item, min_size=1, max_size=8), min_size=1, max_size=5))
    items = [data.draw(item) for _ in histories]
    candidates = [data.draw(st.permutations(range(1, num_items + 1)))[:2] for _ in histories]
    candidates = [
        [c if c != target else c % num_items + 1 for c in row]
        for row, target in zip(candidates, items, strict=True)
    ]
    filter_seen = data.draw(st.booleans())
    ranks = rank(
        model_with_scores(scores),
        toy_sequences(histories),
        targets_of(items, candidates),
        filter_seen=filter_seen,
        top_k=1,
    )
    by_item = [math.nan, *scores]
    for row, (history, target) in enumerate(zip(histories, items, strict=True)):
        allowed = allowed_items(num_items, history, target, filter_seen=filter_seen)
        assert ranks.sampled[row] == loop_rank(by_item, target, candidates[row])
        assert ranks.full[row] == loop_rank(by_item, target, allowed)
        assert ranks.top[row, 0] in allowed
        assert by_item[ranks.top[row, 0]] == max(by_item[other] for other in allowed)


CONFIGS = [{}, {"variant": "official", "tied_embedding": False}, {"score": "cosine"}]


@pytest.mark.parametrize("changes", CONFIGS)
@pytest.mark.parametrize("filter_seen", [True, False])
def test_ranks_of_a_model_equal_a_loop(filter_seen, changes):
    sequences, targets = random_case(seed=3)
    model = random_model(5, **changes)
    ranks = rank(model, sequences, targets, loss=BINARY, filter_seen=filter_seen, top_k=4)
    assert len(set(ranks.full)) > 5, "a case that tells users apart"
    for row, user in enumerate(targets.users):
        history, target = sequences.of(user), int(targets.items[row])
        scores = scores_alone(model, history)
        others = targets.candidates[row].tolist()
        allowed = allowed_items(NUM_ITEMS, history, target, filter_seen=filter_seen)
        assert ranks.sampled[row] == loop_rank(scores, target, others)
        assert ranks.full[row] == loop_rank(scores, target, allowed)
        best = sorted(allowed, key=lambda item: -scores[item])
        assert ranks.top[row].tolist() == best[:4]
        loss = math.log1p(math.exp(-scores[target]))
        loss += K * sum(math.log1p(math.exp(scores[item])) for item in others) / len(others)
        assert ranks.losses[row] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_chunks_change_nothing(chunk, monkeypatch):
    sequences, targets = random_case(seed=11)
    model = random_model(2)
    whole = rank(model, sequences, targets, loss=BINARY, top_k=5)
    monkeypatch.setattr(ranking, "MAX_SCORES", chunk * (NUM_ITEMS + 1))
    done = []
    parts = rank(model, sequences, targets, loss=BINARY, top_k=5, progress=done.append)
    assert done == [*range(chunk, 17, chunk), 17]
    for name in ("sampled", "full", "top"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
    np.testing.assert_allclose(parts.losses, whole.losses, rtol=1e-5)


def test_a_chunk_holds_at_least_one_user(monkeypatch):
    sequences, targets = random_case(seed=11, count=3)
    monkeypatch.setattr(ranking, "MAX_SCORES", 1)
    done = []
    rank(random_model(2), sequences, targets, progress=done.append)
    assert done == [1, 2, 3]


def test_the_number_of_threads_changes_no_byte(monkeypatch):
    sequences, targets = random_case(seed=11)
    monkeypatch.setattr(ranking, "MAX_SCORES", 2 * (NUM_ITEMS + 1))
    before, results = torch.get_num_threads(), []
    for threads in (1, 4):
        torch.set_num_threads(threads)
        results.append(rank(random_model(2), sequences, targets, loss=BINARY, top_k=5))
    torch.set_num_threads(before)
    for name in ("sampled", "full", "top", "losses"):
        one, four = (getattr(result, name).tobytes() for result in results)
        assert one == four


@pytest.mark.parametrize("loss", [BINARY, CROSS])
def test_layouts_rank_alike(loss):
    sequences, targets = random_case(seed=13)
    model = random_model(4)
    packed, *others = (
        rank(model, sequences, targets, loss=loss, layout=layout)
        for layout in ("packed", "grouped", "fixed")
    )
    for other in others:
        np.testing.assert_array_equal(other.full, packed.full)
        np.testing.assert_array_equal(other.sampled, packed.sampled)
        np.testing.assert_allclose(other.losses, packed.losses, rtol=1e-5)


def test_the_loss_over_all_items_equals_a_loop():
    sequences, targets = random_case(seed=3)
    model = random_model(5)
    ranks = rank(model, sequences, targets, loss=CROSS)
    for row, user in enumerate(targets.users):
        scores = scores_alone(model, sequences.of(user))
        total = sum(math.exp(score) for score in scores[1:])
        expected = math.log(total) - scores[int(targets.items[row])]
        assert ranks.losses[row] == pytest.approx(expected, rel=1e-4)


def test_a_loss_that_needs_no_candidates_is_known_without_them():
    sequences, targets = random_case(seed=23)
    fewer = replace(targets, candidates=np.zeros_like(targets.candidates))
    assert np.isnan(rank(random_model(2), sequences, fewer, loss=BINARY).losses).all()
    expected, found = (
        rank(random_model(2), sequences, some, loss=CROSS).losses for some in (targets, fewer)
    )
    assert found.tolist() == expected.tolist()


def test_no_loss_is_given_where_none_is_asked_for():
    sequences, targets = random_case(seed=23)
    assert np.isnan(rank(random_model(2), sequences, targets).losses).all()


def test_who_has_no_candidates_is_ranked_among_all_items_only():
    sequences, targets = random_case(seed=23)
    without = np.array([2, 11])
    drawn = np.delete(np.arange(len(targets.users)), without)
    fewer = replace(targets, candidates=targets.candidates.copy())
    fewer.candidates[without] = 0
    expected, found = (
        rank(random_model(2), sequences, some, loss=BINARY) for some in (targets, fewer)
    )
    for name in ("sampled", "losses"):
        assert np.isnan(getattr(found, name)[without]).all()
        assert getattr(found, name)[drawn].tolist() == getattr(expected, name)[drawn].tolist()
    assert found.full.tolist() == expected.full.tolist()


def test_some_users_only_in_their_order():
    sequences, targets = random_case(seed=19)
    model = random_model(6)
    whole = rank(model, sequences, targets)
    rows = np.array([2, 3, 7, 16])
    part = Targets(targets.users[rows], targets.items[rows], targets.candidates[rows])
    np.testing.assert_array_equal(rank(model, sequences, part).full, whole.full[rows])


def test_a_constant_model_gets_chance_exactly():
    sequences, targets = random_case(seed=29)
    model = model_with_scores([0.25] * NUM_ITEMS)
    ranks = rank(model, sequences, targets, loss=BINARY)
    assert set(ranks.sampled) == {(7 + 1 + 1) / 2}
    for row, user in enumerate(targets.users):
        target = int(targets.items[row])
        allowed = allowed_items(NUM_ITEMS, sequences.of(user), target, filter_seen=True)
        assert ranks.full[row] == (len(allowed) + 1) / 2
    # -log sigmoid(s) - K log(1 - sigmoid(s)) of a constant score s
    expected = math.log1p(math.exp(-0.25)) + K * math.log1p(math.exp(0.25))
    np.testing.assert_allclose(ranks.losses, expected, rtol=1e-6)
    everything = rank(model, sequences, targets, filter_seen=False)
    assert set(everything.full) == {(NUM_ITEMS + 1) / 2}


def test_a_target_in_the_history_stays_a_candidate():
    model = model_with_scores([1, 5, 3, 2])
    ranks = rank(model, toy_sequences([[3, 2]]), targets_of([3], [[1]]), top_k=2)
    assert ranks.full.tolist() == [1.0]  # item 2 is left out, 3 is not
    assert ranks.top.tolist() == [[3, 4]]


def test_a_list_longer_than_what_is_left_ends_in_zeros():
    model = model_with_scores([1, 2, 3, 4, 5])
    ranks = rank(model, toy_sequences([[1, 2, 3], [4]]), targets_of([5, 1], [[4], [2]]), top_k=4)
    assert ranks.top.tolist() == [[5, 4, 0, 0], [5, 3, 2, 1]]


def test_padding_is_no_candidate():
    model = model_with_scores([-1.0, -2.0, -3.0])  # padding's score would be 0
    ranks = rank(model, toy_sequences([[1]]), targets_of([1], [[2]]), filter_seen=False, top_k=9)
    assert ranks.full.tolist() == [1.0]
    assert ranks.top.tolist() == [[1, 2, 3]]


def test_only_the_latest_items_count():
    model = random_model(8)
    case = targets_of([4], [[9, 10]])
    long, short = ([21, 22, 23, 5, 6, 7, 8, 2], [5, 6, 7, 8, 2])
    longer, shorter = (
        rank(model, toy_sequences([history]), case, loss=BINARY, filter_seen=False)
        for history in (long, short)
    )
    np.testing.assert_allclose(longer.losses, shorter.losses, rtol=1e-6)
    # What is older than max_length is still left out of the ranking.
    best_seen = model_with_scores([0.0] * 20 + [1, 1, 1])
    assert rank(best_seen, toy_sequences([long]), case).full.tolist() == [(23 - 8 + 1) / 2]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_refused(wrong):
    model = model_with_scores([1.0, wrong, 2.0])
    with pytest.raises(UserError, match="NaN or infinite"):
        rank(model, toy_sequences([[1]]), targets_of([3], [[1]]))
    assert model.training


@pytest.mark.parametrize("training", [True, False])
def test_ranking_is_without_dropout_and_leaves_the_mode(training):
    sequences, targets = random_case(seed=31)
    model = random_model(9).train(training)
    first, again = (rank(model, sequences, targets, loss=BINARY).losses for _ in range(2))
    assert model.training is training
    assert not np.isnan(first).any()
    np.testing.assert_array_equal(again, first)


def test_validation_sums_the_ranks_up():
    # Two users; targets score 4 and 1 against candidates 2, 3 (of 0, 9): ranks 1 and 3.
    model = model_with_scores([4, 0, 2, 1, 3])
    sequences = toy_sequences([[2], [2]])
    targets = targets_of([1, 4], [[3, 5], [3, 5]])
    reader = SequenceReader(sequences, 5, torch.device("cpu"), layout="packed")
    result = validate(model, reader, targets, BINARY)
    mean = (math.log1p(math.exp(2)) + math.log1p(math.exp(3))) / 2
    assert result.loss == pytest.approx(
        (math.log1p(math.exp(-4)) + math.log1p(math.exp(-1))) / 2 + K * mean
    )
    # log2(2) = 1, log2(4) = 2; among all but item 2 the ranks are 1 and 4.
    assert result.sampled == pytest.approx({"HR@10": 1, "NDCG@10": 3 / 4, "MRR": 2 / 3})
    expected = {"HR@10": 1, "NDCG@10": (1 + 1 / math.log2(5)) / 2, "MRR": 5 / 8}
    assert result.full == pytest.approx(expected)


def test_a_target_without_a_history_is_refused():
    with pytest.raises(UserError, match="user 2 has a target but no history to rank it after"):
        rank(random_model(2), toy_sequences([[1], []]), targets_of([3, 4], [[5], [6]]))
