"""Items outside a history: look-ups, candidates and negatives, against sets and chance."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_sequences

from sasrec.base.errors import UserError
from sasrec.data.targets import Targets
from sasrec.data.unseen import unseen_items
from sasrec.objectives import negatives
from sasrec.objectives.negatives import NegativeSampler, users_without_negatives
from sasrec.splitting.candidates import draw_candidates

NUM_ITEMS = 11
CPU = torch.device("cpu")


def others(history, num_items=NUM_ITEMS):
    return sorted(set(range(1, num_items + 1)) - set(history))


def candidates_for(sequences, users, count, *, num_items=NUM_ITEMS, seed=5, **options):
    return draw_candidates(
        sequences,
        np.array(users),
        num_items=num_items,
        num_candidates=count,
        generator=np.random.default_rng(seed),
        **options,
    )


def assert_uniform(found, outcomes, draws):
    """Chi-square: with df degrees of freedom its mean is df and its variance 2 df."""
    assert set(found) <= set(outcomes)
    expected = draws / len(outcomes)
    statistic = sum((found[outcome] - expected) ** 2 / expected for outcome in outcomes)
    freedom = len(outcomes) - 1
    assert statistic < freedom + 4 * math.sqrt(2 * freedom)


@given(st.data())
def test_unseen_items_are_the_set_difference(data):
    num_items = data.draw(st.integers(1, 12))
    history = st.lists(st.integers(1, num_items), max_size=15)
    histories = data.draw(st.lists(history, min_size=1, max_size=6))
    users = data.draw(st.lists(st.integers(0, len(histories)), min_size=1, max_size=8))
    unseen = unseen_items(toy_sequences(histories), np.array(users), num_items)
    for row, user in enumerate(users):
        expected = others(histories[user - 1] if user else [], num_items)
        assert unseen.counts[row] == len(expected)
        ranks = np.arange(len(expected))
        assert unseen.nth(np.full_like(ranks, row), ranks).tolist() == expected


@given(st.data())
def test_candidates_are_distinct_unseen_items_in_order(data):
    history = st.lists(st.integers(1, NUM_ITEMS), max_size=15)
    histories = data.draw(st.lists(history, min_size=1, max_size=6))
    users = data.draw(st.lists(st.integers(1, len(histories)), min_size=1, max_size=8))
    fewest = min(len(others(histories[user - 1])) for user in users)
    count = data.draw(st.integers(0, fewest))
    found = candidates_for(toy_sequences(histories), users, count)
    assert found.dtype == np.int32
    assert found.shape == (len(users), count)
    for user, row in zip(users, found.tolist(), strict=True):
        assert row == sorted(set(row))
        assert set(row) <= set(others(histories[user - 1]))
        if count == len(others(histories[user - 1])):
            assert row == others(histories[user - 1])


def test_candidates_are_uniform_over_all_subsets():
    draws = 7000
    history = [2, 9, 4, 6, 11, 1]  # leaves 3 5 7 8 10
    found = candidates_for(toy_sequences([history]), [1] * draws, 2)
    assert_uniform(
        Counter(map(tuple, found.tolist())), list(combinations([3, 5, 7, 8, 10], 2)), draws
    )


def test_candidates_do_not_depend_on_other_users_of_a_row():
    # Two users of one history draw different lists: rows are independent.
    found = candidates_for(toy_sequences([[1], [1]]), [1, 2] * 50, 5)
    assert len({tuple(row) for row in found.tolist()}) > 50


def test_candidates_follow_their_seed_alone():
    sequences = toy_sequences([[1, 2], [3], [4, 5]])
    first = candidates_for(sequences, [1, 2, 3], 4, seed=2)
    assert np.array_equal(candidates_for(sequences, [1, 2, 3], 4, seed=2), first)
    assert not np.array_equal(candidates_for(sequences, [1, 2, 3], 4, seed=3), first)


def test_candidates_in_blocks_cover_every_user():
    histories = [[user] for user in range(1, 8)]
    found = candidates_for(toy_sequences(histories), range(1, 8), 10, block=3)
    assert found.tolist() == [others(history) for history in histories]


@pytest.mark.parametrize("block", [1, 2, 4096])
def test_who_knows_too_much_gets_no_candidates_and_the_others_theirs(block):
    sequences = toy_sequences([[1], list(range(1, 12)), [5], [2, 3, 3]])
    found = candidates_for(sequences, [1, 2, 3, 4], 10, block=block)
    assert found.tolist() == [others([1]), [0] * 10, others([5]), [0] * 10]
    targets = Targets(np.arange(1, 5), np.array([2, 3, 4, 5]), found)
    assert targets.has_candidates.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    ("histories", "count", "message"),
    [
        # They leave 10, 8, 7 and 5 of 11 items.
        (
            [[1], [1, 2, 3, 3], [5, 6, 7, 8], [1, 2, 3, 4, 5, 6]],
            9,
            "split.num_candidates = 9: 3 of 4 users leave fewer of the 11 items than that; "
            "with 8 or fewer at least half of them can be ranked",
        ),
        (
            [list(range(1, 12)), list(range(1, 12)), [1]],
            1,
            "split.num_candidates = 1: 2 of 3 users leave fewer of the 11 items than that: most "
            "users interacted with every item, so there is nothing to rank against",
        ),
    ],
)
def test_too_few_items_for_most_users_is_a_sentence_with_a_way_out(histories, count, message):
    sequences, users = toy_sequences(histories), range(1, len(histories) + 1)
    with pytest.raises(UserError) as caught:
        candidates_for(sequences, users, count, block=1)
    assert str(caught.value) == message
    if "or fewer" in message:
        found = candidates_for(sequences, users, 8)
        assert found.any(1).tolist() == [True, True, False, False]


def test_more_candidates_than_there_is_room_for_are_refused_at_once():
    sequences = toy_sequences([[1, 2], [3]])
    with pytest.raises(UserError, match="with 10 or fewer at least half of them can be ranked"):
        candidates_for(sequences, [1, 2], 10**12)


def sampler_of(*histories, num_items=NUM_ITEMS):
    sequences = toy_sequences(histories)
    return NegativeSampler.build(
        unseen_items(sequences, np.arange(sequences.num_users + 1), num_items), CPU
    )


def draw(sampler, rows, seed=3):
    return sampler.draw(torch.as_tensor(rows), torch.Generator().manual_seed(seed))


def test_negatives_are_uniform_over_unseen_items():
    draws = 8000
    histories = [[5, 2, 2, 9], [], [1, 11]]
    rows = torch.tensor([1, 2, 3]).expand(draws, 3)
    found = draw(sampler_of(*histories), rows)
    assert found.dtype == torch.int64
    assert found.shape == (draws, 3)
    for column, history in enumerate(histories):
        assert_uniform(Counter(found[:, column].tolist()), others(history), draws)


def test_one_draw_does_not_tell_the_next():
    pairs = draw(sampler_of([1, 2, 3, 4, 5, 6, 7]), torch.ones(6000, 2, dtype=torch.int64))
    outcomes = [(first, second) for first in others(range(8)) for second in others(range(8))]
    assert_uniform(Counter(map(tuple, pairs.tolist())), outcomes, 6000)


def test_negatives_follow_their_seed_alone():
    sampler = sampler_of([1, 2])
    rows = torch.ones(50, dtype=torch.int64)
    assert torch.equal(draw(sampler, rows, seed=3), draw(sampler, rows, seed=3))
    assert not torch.equal(draw(sampler, rows, seed=3), draw(sampler, rows, seed=4))


@pytest.mark.parametrize("missing", [1, 6, NUM_ITEMS])
def test_a_user_who_knows_all_but_one_item_gets_that_one(missing):
    history = others([missing]) * 2
    assert not len(users_without_negatives(toy_sequences([[3], history]), NUM_ITEMS))
    found = draw(sampler_of([3], history), torch.full((40,), 2))
    assert set(found.tolist()) == {missing}


def test_users_who_know_every_item():
    everything = list(range(1, NUM_ITEMS + 1))
    histories = [[3], everything, [3] * 50, [], everything[::-1] * 2, everything[1:] * 3]
    assert users_without_negatives(toy_sequences(histories), NUM_ITEMS).tolist() == [2, 5]
    assert users_without_negatives(toy_sequences(histories), NUM_ITEMS + 1).tolist() == []


@pytest.mark.parametrize("at_once", [1, 6, 7, 50, 1 << 20])
def test_drawing_in_several_goes_changes_nothing(at_once, monkeypatch):
    sampler, rows = sampler_of([1, 2], [5]), torch.tensor([1, 2, 2, 1, 0])[:, None].expand(-1, 3)
    expected = draw(sampler, rows)
    monkeypatch.setattr(negatives, "DRAWN_AT_ONCE", at_once)
    found = draw(sampler, rows)
    assert torch.equal(found, expected)
    assert found.is_contiguous()
