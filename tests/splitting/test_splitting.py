"""Cutting, against loops over users; and the files of sequences and targets."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from toy_splitting import LEAVE_ONE_OUT, lists
from toys import toy_sequences

from sasrec.base.errors import UserError
from sasrec.base.params import load_params
from sasrec.data.sequences import COLUMNS, Sequences, check_items
from sasrec.data.targets import Targets
from sasrec.splitting.cutting import SplitParams, cut

BY_TIME = LEAVE_ONE_OUT.model_copy(update={"strategy": "time"})
item = st.integers(1, 9)


def timed(histories, times):
    """Users 1, 2, ... with these items at these times, one after the other; times may be None."""
    sequences = toy_sequences(histories)
    return sequences if times is None else replace(sequences, columns={"timestamp": times})


def target_items(split, users, ends):
    return split.whole.items[ends[users]].tolist()


def test_sequences_by_hand():
    sequences = Sequences.from_interactions(np.array([1, 1, 3]), np.array([7, 5, 2]), 4)
    assert sequences.offsets.tolist() == [0, 0, 2, 2, 3, 3]
    assert (sequences.offsets.dtype, sequences.items.dtype) == (np.int64, np.int32)
    assert sequences.num_users == 4
    assert sequences.lengths.tolist() == [0, 2, 0, 1, 0]
    assert lists(sequences) == [[7, 5], [], [2], []]


def test_leave_one_out_by_hand():
    split = cut(toy_sequences([[5], [4, 3], [1, 2, 3], [6, 5, 4, 4, 2]]), LEAVE_ONE_OUT)
    assert lists(split.prefixes(split.train_ends)) == [[5], [4, 3], [1], [6, 5, 4]]
    assert split.valid_users.tolist() == split.test_users.tolist() == [3, 4]
    assert target_items(split, split.valid_users, split.train_ends) == [2, 4]
    assert target_items(split, split.test_users, split.test_ends) == [3, 2]
    assert lists(split.prefixes(split.test_ends))[2:] == [[1, 2], [6, 5, 4, 4]]


@given(st.lists(st.lists(item, max_size=6), min_size=1, max_size=8))
def test_leave_one_out_equals_a_loop(histories):
    assume(any(len(items) >= 4 for items in histories))
    split = cut(toy_sequences(histories), LEAVE_ONE_OUT)
    cut_users = [user for user, items in enumerate(histories, 1) if len(items) >= 3]
    train = [items[:-2] if len(items) >= 3 else items for items in histories]
    assert lists(split.prefixes(split.train_ends)) == train
    assert split.valid_users.tolist() == split.test_users.tolist() == cut_users
    valid = target_items(split, split.valid_users, split.train_ends)
    test = target_items(split, split.test_users, split.test_ends)
    assert valid == [histories[user - 1][-2] for user in cut_users]
    assert test == [histories[user - 1][-1] for user in cut_users]
    before = lists(split.prefixes(split.test_ends))
    assert [before[user - 1] for user in cut_users] == [histories[u - 1][:-1] for u in cut_users]
    # Put together again, it is everything, once.
    for user, next_item, last_item in zip(cut_users, valid, test, strict=True):
        train[user - 1] = [*train[user - 1], next_item, last_item]
    assert train == histories


def test_time_by_hand():
    # Sorted: 1 2 3 4 | 5 6 | 7 8, with fractions of 1/4: cuts before 5 and before 7.
    histories = [[11, 12, 13], [21, 22, 23, 24], [31]]
    times = np.array([1, 5, 7, 2, 3, 4, 8, 6])
    split = cut(timed(histories, times), BY_TIME)
    assert lists(split.prefixes(split.train_ends)) == [[11], [21, 22, 23], []]
    # The second user has nothing between the cuts; the third nothing to learn from.
    assert split.valid_users.tolist() == [1]
    assert target_items(split, split.valid_users, split.train_ends) == [12]
    assert split.test_users.tolist() == [1, 2]
    assert target_items(split, split.test_users, split.test_ends) == [13, 24]
    assert lists(split.prefixes(split.test_ends)) == [[11, 12], [21, 22, 23], [31]]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 30), item), min_size=1, max_size=6),
        min_size=1,
        max_size=8,
    )
)
def test_time_equals_a_loop(interactions):
    interactions = [sorted(of_user, key=lambda pair: pair[0]) for of_user in interactions]
    times = [time for of_user in interactions for time, _ in of_user]
    count = len(times)
    first, second = sorted(times)[count // 2], sorted(times)[count * 3 // 4]
    train, before, valid, test = [], [], {}, {}
    for user, of_user in enumerate(interactions, 1):
        train.append([thing for time, thing in of_user if time < first])
        before.append([thing for time, thing in of_user if time < second])
        between = [thing for time, thing in of_user if first <= time < second]
        later = [thing for time, thing in of_user if time >= second]
        if train[-1] and between:
            valid[user] = between[0]
        if before[-1] and later:
            test[user] = later[0]
    assume(valid and test and max(map(len, train)) >= 2)

    histories = [[thing for _, thing in of_user] for of_user in interactions]
    split = cut(timed(histories, np.array(times)), BY_TIME)
    assert lists(split.prefixes(split.train_ends)) == train
    assert lists(split.prefixes(split.test_ends)) == before
    assert split.valid_users.tolist() == list(valid)
    assert split.test_users.tolist() == list(test)
    assert target_items(split, split.valid_users, split.train_ends) == list(valid.values())
    assert target_items(split, split.test_users, split.test_ends) == list(test.values())
    # Nothing is learnt from a time at or after any target's.
    trained = [
        time for user, of_user in enumerate(interactions) for time, _ in of_user[: len(train[user])]
    ]
    targets = np.concatenate(
        [split.train_ends[split.valid_users], split.test_ends[split.test_users]]
    )
    assert max(trained) < min(times[index] for index in targets)


@given(st.lists(st.lists(item, max_size=6), min_size=1, max_size=8), st.data())
def test_columns_are_cut_with_the_items(histories, data):
    assume(any(len(items) >= 4 for items in histories))
    sequences = toy_sequences(histories)
    names = data.draw(st.lists(st.sampled_from(["rating", "timestamp"]), unique=True))
    columns = {name: sequences.items.astype(COLUMNS[name]) * 10 for name in names}
    split = cut(replace(sequences, columns=columns), LEAVE_ONE_OUT)
    for ends in (split.train_ends, split.test_ends):
        prefixes = split.prefixes(ends)
        assert list(prefixes.columns) == names
        for name, column in prefixes.columns.items():
            assert column.dtype == COLUMNS[name]
            assert np.array_equal(column, prefixes.items * 10)


def test_time_without_time_stamps_is_refused():
    with pytest.raises(UserError, match="needs time stamps"):
        cut(toy_sequences([[1, 2, 3, 4]]), BY_TIME)


@pytest.mark.parametrize(
    ("histories", "times", "params", "counts"),
    [
        ([[1, 2], [3]], None, LEAVE_ONE_OUT, "1 users to train on, 0 to validate and 0 to test"),
        ([[1, 2, 3]], None, LEAVE_ONE_OUT, "0 users to train on, 1 to validate and 1 to test"),
        ([[1, 2, 3, 4]], [5, 5, 5, 5], BY_TIME, "0 users to train on, 0 to validate and 0 to test"),
        # A user each side of the cuts: no target has a history.
        (
            [[1, 2], [3], [4]],
            [1, 2, 3, 4],
            BY_TIME,
            "1 users to train on, 0 to validate and 0 to test",
        ),
    ],
)
def test_a_split_that_leaves_nothing_is_refused(histories, times, params, counts):
    times = None if times is None else np.array(times)
    with pytest.raises(UserError, match=f"strategy = '{params.strategy}' leaves {counts}"):
        cut(timed(histories, times), params)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("strategy", "random", "'leave_one_out' or 'time'"),
        ("num_candidates", 0, "split.num_candidates = 0"),
        ("valid_fraction", 0.0, "split.valid_fraction = 0.0"),
        ("test_fraction", 0.75, "leave nothing to train on"),
        ("seed", -1, "split.seed = -1"),
    ],
)
def test_params_out_of_range_are_refused(tmp_path, key, value, message):
    values = LEAVE_ONE_OUT.model_dump() | {key: value}
    path = tmp_path / "params.yaml"
    path.write_text("split:\n" + "".join(f"  {name}: {value}\n" for name, value in values.items()))
    with pytest.raises(UserError, match=message):
        load_params("split", SplitParams, path)


@pytest.fixture
def sequences_folder(tmp_path):
    toy_sequences([[4, 2], [], [7, 7, 1]]).save(tmp_path)
    return tmp_path


def test_sequences_come_back_from_their_files(sequences_folder):
    assert lists(Sequences.load(sequences_folder, num_users=3, num_items=7)) == [
        [4, 2],
        [],
        [7, 7, 1],
    ]


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("offsets", np.array([0, 0, 2, 2, 4]), "offsets.npy does not fit the 5 items beside it"),
        ("offsets", np.array([1, 1, 2, 2, 5]), "offsets.npy does not fit the 5 items beside it"),
        ("offsets", np.array([5]), "holds 1 offsets, expected 5 for 3 users"),
        ("offsets", np.array([[0, 5]]), r"has the shape \(1, 2\), expected 1 dimension"),
        ("offsets", np.array([0, 0, 3, 2, 5]), "offsets.npy falls"),
        ("offsets", np.array([0, 0, 2, 2, 5], np.int32), "holds int32, expected int64"),
        ("items", np.array([4, 2, 7, 8, 1], np.int32), "entry 3 is item 8, expected 1 to 7"),
        ("items", np.array([4, 2, 0, 7, 1], np.int32), "entry 2 is item 0, expected 1 to 7"),
    ],
)
def test_sequences_that_do_not_fit_are_refused(sequences_folder, name, array, message):
    np.save(sequences_folder / f"{name}.npy", array)
    with pytest.raises(UserError, match=message):
        Sequences.load(sequences_folder, num_users=3, num_items=7)


def test_items_are_checked_in_every_block(tmp_path):
    items = np.ones((6, 2), np.int32)
    check_items(items, 1, tmp_path, block=5)
    items[3, 1] = 2
    with pytest.raises(UserError, match="entry 7 is item 2, expected 1 to 1"):
        check_items(items, 1, tmp_path, block=5)


@pytest.fixture
def targets_folder(tmp_path):
    Targets(np.array([1, 3]), np.array([5, 2]), np.array([[1, 2, 3], [4, 5, 6]])).save(tmp_path)
    return tmp_path


def test_targets_come_back_from_their_files(targets_folder):
    targets = Targets.load(targets_folder, num_users=3, num_items=6)
    assert targets.users.tolist() == [1, 3]
    assert targets.items.tolist() == [5, 2]
    assert targets.candidates.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert targets.candidates.dtype == np.int32
    assert targets.sampled_name == "sampled_3"


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("target_users", [1], "do not fit together"),
        ("target_items", [5, 2, 1], "do not fit together"),
        ("candidates", [1, 2], r"has the shape \(2,\), expected 2 dimension"),
        ("candidates", [[1, 2, 3]], "do not fit together"),
        ("target_users", [0, 3], "expected users from 1 to 3"),
        ("target_users", [1, 4], "expected users from 1 to 3"),
        ("target_items", [5, 7], "target_items.npy: entry 1 is item 7, expected 1 to 6"),
        ("candidates", [[1, 2, 3], [0, 5, 6]], "candidates.npy: entry 3 is item 0"),
    ],
)
def test_targets_that_do_not_fit_are_refused(targets_folder, name, array, message):
    np.save(targets_folder / f"{name}.npy", np.array(array, np.int32))
    with pytest.raises(UserError, match=message):
        Targets.load(targets_folder, num_users=3, num_items=6)


def test_targets_that_are_missing_are_named(targets_folder):
    shutil.move(targets_folder / "candidates.npy", targets_folder / "elsewhere.npy")
    with pytest.raises(UserError, match=r"candidates.npy not found: run `python stages/split.py`"):
        Targets.load(targets_folder, num_users=3, num_items=6)


@pytest.mark.parametrize("block", [1, 2, 100])
def test_whether_a_sequence_holds_an_item(block):
    sequences = toy_sequences([[4, 2], [], [7, 7, 1], [2]])
    users, items = np.array([1, 1, 2, 3, 3, 4]), np.array([2, 7, 2, 7, 2, 2])
    expected = [True, False, False, True, False, True]
    assert sequences.hold(users, items, block=block).tolist() == expected


def test_a_row_of_candidates_is_whole_or_empty(targets_folder):
    np.save(targets_folder / "candidates.npy", np.array([[0, 0, 0], [4, 5, 6]], np.int32))
    targets = Targets.load(targets_folder, num_users=3, num_items=6)
    assert targets.has_candidates.tolist() == [False, True]
