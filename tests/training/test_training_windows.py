"""What training learns from of long histories: `train.windows`."""

import pytest
from toy_training import HISTORIES, record_batches, trainer_of
from toys import by_row

from sasrec.batching.windows import WINDOWS
from sasrec.machine.distributed import World

every_row = pytest.mark.parametrize("windows", WINDOWS)


class Silent(World):
    """One of several processes, which adds nothing of the others'."""

    def add_up(self, tensor):
        return tensor


def learnt_by(monkeypatch, epochs=(1,), **settings):
    """For each epoch: by user the items of its window. Each is checked to be a part of a history.

    Max_length is 5, so that users 4 (nine items) and 7 (seven) have windows to choose from.
    """
    trainer, found = trainer_of(loops=False, **settings), []
    for epoch in epochs:
        with monkeypatch.context() as patch:
            batches, drawn = record_batches(trainer, patch)
            stats = trainer.run_epoch(epoch)
        windows = {}
        for batch, negatives in zip(batches, drawn, strict=True):
            rows = zip(
                batch.users.tolist(),
                by_row(batch.inputs.items, batch.inputs),
                by_row(batch.targets, batch.inputs),
                by_row(negatives, batch.inputs),
                strict=True,
            )
            for user, inputs, targets, others in rows:
                windows[user] = [*inputs.tolist(), targets[-1].item()]
                assert windows[user][1:] == targets.tolist()
                assert not set(others.flatten().tolist()) & set(HISTORIES[user - 1])
        if trainer.world.size == 1:
            assert stats.interactions == sum(len(window) - 1 for window in windows.values()) == 16
        found.append(windows)
    return found


def test_random_windows_come_to_every_item_and_to_the_latest_most_often(monkeypatch):
    found = learnt_by(monkeypatch, range(1, 41), windows="random")
    fourth, seventh = ([tuple(windows[user]) for windows in found] for user in (4, 7))
    # HISTORIES[3] is 1 to 9.
    assert set(fourth) == {tuple(range(start, start + 6)) for start in range(1, 5)}
    assert 15 <= fourth.count((4, 5, 6, 7, 8, 9)) <= 35  # 25 of 40 by chance
    assert set(seventh) == {tuple(HISTORIES[6][start : start + 6]) for start in range(2)}
    short = {user: HISTORIES[user - 1] for user in (2, 3, 5)}
    assert all(short.items() <= windows.items() for windows in found)


def test_the_latest_is_the_default(monkeypatch):
    latest = {user: HISTORIES[user - 1][-6:] for user in (2, 3, 4, 5, 7)}
    assert learnt_by(monkeypatch, (1, 2)) == [latest, latest]


@every_row
def test_windows_depend_on_seed_and_epoch_alone(windows, monkeypatch):
    later = learnt_by(monkeypatch, (2, 3, 4, 5), windows=windows)
    again = learnt_by(monkeypatch, (5, 3, 2), windows=windows)
    assert again == [later[3], later[1], later[0]]
    if windows != "latest":
        other = learnt_by(monkeypatch, (2, 3, 4, 5), windows=windows, seed=2)
        assert other != later


@every_row
def test_of_several_processes_each_user_has_the_windows_of_one_alone(windows, monkeypatch):
    epochs = range(1, 9)
    alone = learnt_by(monkeypatch, epochs, windows=windows)
    shares = [
        learnt_by(monkeypatch, epochs, windows=windows, world=Silent(rank, 2)) for rank in (0, 1)
    ]
    assert [first | second for first, second in zip(*shares, strict=True)] == alone


@every_row
def test_compiled_loops_learn_by_the_same_windows(windows):
    losses = []
    for loops in (True, False):
        objective = {"loss": "cross_entropy"}  # without negatives, which a layout orders its way
        trainer = trainer_of(windows=windows, objective=objective, loops=loops)
        losses.append([trainer.run_epoch(epoch).loss for epoch in (1, 2, 3)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
