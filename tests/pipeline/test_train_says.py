"""What the stage `train` says before it trains: whom it leaves out, and what cannot fit."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from toy_stages import NUM_ITEMS, refuse, set_params

import train
from sasrec.data.sequences import Sequences

TRAIN = Path("data/split/train")


def give(histories):
    """Users get these histories to train on; the others keep theirs."""
    offsets, items = (np.load(TRAIN / f"{name}.npy") for name in ("offsets", "items"))
    rows = [items[start:stop] for start, stop in itertools.pairwise(offsets)]
    for user, history in histories.items():
        rows[user] = np.array(history)
    users = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    Sequences.from_interactions(users, np.concatenate(rows), len(rows) - 1).save(TRAIN)


def test_users_left_out_are_counted(folder, capsys):
    everything = range(1, NUM_ITEMS + 1)
    lengths = {user: [1, 2, 3] for user in range(1, 30)}
    give(lengths | {3: [5], 4: everything, 5: [*everything, 1], 9: everything})
    train.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("Mind: nothing is learnt")] == [
        "Mind: nothing is learnt from 1 user(s) with fewer than two items in training, none of "
        "which has a next one",
        "Mind: nothing is learnt from 3 user(s) with all 17 items in training, so that no negative "
        "is left",
    ]
    assert any(": 25 users, 17 items" in line for line in lines)


def test_nothing_is_said_where_nobody_is_left_out(folder, capsys):
    give({user: [1, 2, 3] for user in range(1, 30)})
    train.main()
    assert "nothing is learnt" not in capsys.readouterr().out


@pytest.mark.parametrize("processes", [1, 2])
def test_what_cannot_fit_is_said_before_anything_is_made(folder, processes, monkeypatch):
    monkeypatch.setattr(train, "launch", pytest.fail)
    set_params(folder, objective__num_negatives=10**11, train__processes=processes)
    refuse(train.main, folder, r"GB are free: lower objective\.num_negatives = 100000000000")
