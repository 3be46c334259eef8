"""Items held out as new, against loops over users; and the files of the test on them."""

import dataclasses

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from toy_splitting import LEAVE_ONE_OUT, lists
from toy_stages import NUM_ITEMS, NUM_USERS, set_params, write_interactions
from toys import toy_sequences

import split
from sasrec.base.errors import UserError
from sasrec.base.params import load_params
from sasrec.data.cold import FOLDER, ColdTest, read_cold_test
from sasrec.data.facts import read_split_facts
from sasrec.data.sequences import Sequences
from sasrec.data.targets import Targets
from sasrec.splitting.candidates import draw_candidates
from sasrec.splitting.cold import choose_cold_items, cold_test_of, draw_warm_candidates
from sasrec.splitting.cutting import SplitParams, cut

item = st.integers(1, 9)


def params_of(share, seed=1):
    return LEAVE_ONE_OUT.model_copy(update={"cold_items": share, "seed": seed})


@given(
    st.lists(st.lists(item, max_size=7), min_size=1, max_size=8),
    st.sets(item, max_size=4).map(sorted),
)
def test_targets_and_histories_equal_a_loop(histories, cold):
    expected = {}
    for user, items in enumerate(histories, 1):
        places = [place for place, thing in enumerate(items) if thing in cold]
        before = items[: places[-1]] if places else []
        if any(thing not in cold for thing in before):
            expected[user] = before, items[places[-1]]
    sequences = toy_sequences(histories)
    rated = dataclasses.replace(sequences, columns={"rating": sequences.items * np.float32(10)})
    cold = np.array(cold, np.int32)
    if not expected:
        with pytest.raises(UserError, match="nobody took one of the"):
            cold_test_of(rated, cold, 9)
        return
    test = cold_test_of(rated, cold, 9)
    assert test.users.tolist() == list(expected)
    assert test.items.tolist() == [target for _, target in expected.values()]
    found = lists(test.histories)
    assert found == [expected.get(user, [[]])[0] for user in range(1, len(histories) + 1)]
    assert np.array_equal(test.histories.columns["rating"], test.histories.items * 10)


@given(
    st.lists(st.lists(item, max_size=7), min_size=2, max_size=8),
    st.sets(item, max_size=4).map(sorted),
    st.integers(0, 9),
)
def test_candidates_are_never_cold_nor_known(histories, cold, seed):
    cold = np.array(cold, np.int32)
    warm_histories = [[thing for thing in items if thing not in cold] for items in histories]
    users = np.arange(1, len(histories) + 1)
    unknown = [set(range(1, 10)) - set(cold.tolist()) - set(items) for items in warm_histories]
    assume(sum(len(items) >= 2 for items in unknown) >= len(unknown) / 2)
    drawn = draw_warm_candidates(
        toy_sequences(warm_histories),
        users,
        cold,
        num_items=9,
        num_candidates=2,
        generator=np.random.default_rng(seed),
    )
    for row, items in zip(drawn.tolist(), unknown, strict=True):
        assert row == [0, 0] if len(items) < 2 else row[0] < row[1] and set(row) <= items
    if not len(cold):
        generator = np.random.default_rng(seed)
        plain = {"num_items": 9, "num_candidates": 2, "generator": generator}
        assert np.array_equal(drawn, draw_candidates(toy_sequences(histories), users, **plain))


def test_a_share_is_chosen_by_the_seed():
    chosen = choose_cold_items(200, params_of(0.1))
    assert (len(chosen), chosen.dtype) == (20, np.int32)
    assert (np.diff(chosen) > 0).all()
    assert 1 <= chosen.min() <= chosen.max() <= 200
    assert np.array_equal(chosen, choose_cold_items(200, params_of(0.1)))
    assert not np.array_equal(chosen, choose_cold_items(200, params_of(0.1, seed=2)))
    assert not len(choose_cold_items(200, params_of(0.0)))
    ends = {thing for seed in range(40) for thing in choose_cold_items(3, params_of(0.5, seed))}
    assert ends == {1, 2, 3}


def test_a_share_that_is_no_item_is_refused():
    with pytest.raises(UserError, match=r"cold_items = 0.01 of 17 items is none"):
        choose_cold_items(17, params_of(0.01))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cold_items": 0.6}, "split.cold_items = 0.6"),
        ({"cold_items": -0.1}, "split.cold_items = -0.1"),
        ({"cold_items": 0.1, "strategy": "time"}, "cold_items = 0.1 is for strategy leave_one_out"),
    ],
)
def test_params_out_of_range_are_refused(tmp_path, changes, message):
    values = LEAVE_ONE_OUT.model_dump() | changes
    path = tmp_path / "params.yaml"
    path.write_text("split:\n" + "".join(f"  {name}: {value}\n" for name, value in values.items()))
    with pytest.raises(UserError, match=message):
        load_params("split", SplitParams, path)


COUNTS = {"num_users": NUM_USERS, "num_items": NUM_ITEMS}


@pytest.fixture
def interactions(here):
    write_interactions(here / "data/interactions")
    return here


def test_the_stage_keeps_cold_items_out_of_all_else(interactions, capsys):
    user, item = (
        np.load(interactions / f"data/interactions/{name}.npy") for name in ("user", "item")
    )
    set_params(interactions, split__cold_items=0.2)
    split.main()
    folder = interactions / "data/split/test"
    test = read_cold_test(folder, read_split_facts(folder))
    assert len(test.cold_items) == 3  # of 17
    held_out = int(np.isin(item, test.cold_items).sum())
    assert (
        f"cold items: 3 of 17 are held out with {held_out} interactions; {len(test.users)} users "
        "have a target among them"
    ) in capsys.readouterr().out
    warm = [
        [thing for thing in item[user == number].tolist() if thing not in test.cold_items]
        for number in range(1, NUM_USERS + 1)
    ]
    # All else is as if these interactions had never been.
    expected = cut(toy_sequences(warm), LEAVE_ONE_OUT)
    for part, ends, users in (
        ("train", expected.train_ends, None),
        ("valid", expected.train_ends, expected.valid_users),
        ("test", expected.test_ends, expected.test_users),
    ):
        folder = interactions / "data/split" / part
        facts = read_split_facts(folder)
        assert (facts.cold_items, facts.cold_targets) == (3, len(test.users))
        if part != "valid":
            assert lists(Sequences.load(folder, **COUNTS)) == lists(expected.prefixes(ends))
        if part != "train":
            targets = Targets.load(folder, **COUNTS)
            assert targets.users.tolist() == users.tolist()
            assert targets.items.tolist() == expected.whole.items[ends[users]].tolist()
            assert not np.isin(targets.candidates, test.cold_items).any()


def test_other_cold_items_are_another_split(interactions):
    found = set()
    for share, seed in ((0.0, 1), (0.2, 1), (0.2, 2), (0.3, 1)):
        set_params(interactions, split__cold_items=share, split__seed=seed)
        split.main()
        found.add(read_split_facts(interactions / "data/split/train").split)
    assert len(found) == 4


def test_none_are_left_over_when_none_are_held_out(interactions):
    for share in (0.2, 0.0):
        set_params(interactions, split__cold_items=share)
        split.main()
    folder = interactions / "data/split/test"
    facts = read_split_facts(folder)
    assert read_cold_test(folder, facts) is None
    assert not hasattr(facts, "cold_items")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("cold_items", [3, 2, 5], "cold_items.npy: expected ascending items, each once"),
        ("cold_items", [2, 3, 18], "cold_items.npy: entry 2 is item 18, expected 1 to 17"),
        ("cold_items", [], "cold_items.npy: expected ascending items"),
        ("cold_items", [2, 3], "target_items.npy: a target is not in cold_items.npy"),
        ("target_items", [5], "2 users and 1 targets do not fit together"),
        ("target_users", [], "0 users and 2 targets do not fit together"),
    ],
)
def test_files_that_do_not_fit_are_refused(interactions, name, array, message):
    set_params(interactions)
    split.main()
    folder = interactions / "data/split/test"
    histories = toy_sequences([[1], [4], *[[]] * (NUM_USERS - 2)])
    users, items = np.array([1, 2]), np.array([2, 5])
    ColdTest(np.array([2, 3, 5]), histories, users, items).save(folder)
    facts = read_split_facts(folder)
    test = read_cold_test(folder, facts)
    assert test.items.tolist() == [2, 5]
    assert np.flatnonzero(test.is_cold(NUM_ITEMS)).tolist() == [2, 3, 5]
    np.save(folder / FOLDER / f"{name}.npy", np.array(array, np.int32))
    with pytest.raises(UserError, match=message):
        read_cold_test(folder, facts)
