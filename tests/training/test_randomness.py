"""What train.seed, the epoch and the process decide, each alone: order, negatives, dropout.

All users have one history, so that negatives and dropout do not depend on who is in a batch, and
each stream of random numbers is seen by itself. Processes are played by trainers with a `World`
that does not talk to others.
"""

from dataclasses import dataclass

import pytest
import torch
from toy_stages import set_params
from toy_training import record_batches, trainer_of
from toys import toy_sequences

import train
from sasrec.machine.distributed import World

USERS = 24
ALIKE = [[3, 1, 4, 1, 5]] * USERS
STREAMS = ("order", "negatives", "dropout", "dropout elsewhere")


class Silent(World):
    """One of several processes, which adds nothing of the others'."""

    def add_up(self, tensor):
        return tensor


def streams(monkeypatch, seed=1, epoch=1, rank=0, size=2, run_before=()):
    """What an epoch draws: by the name of a stream, a list of numbers."""
    trainer = trainer_of(
        toy_sequences(ALIKE),
        num_items=500,
        config={"dropout": 0.5},
        objective={"num_negatives": 3},
        world=Silent(rank, size),
        seed=seed,
        batch_size=8,
        loops=False,
    )
    for earlier in run_before:
        trainer.run_epoch(earlier)
    units, elsewhere, draw = [], [], trainer.model.dropout.units

    def recorded_units(count):
        if not elsewhere:  # what torch's own dropout would draw from
            elsewhere.extend(torch.rand(20).tolist())
        drawn = draw(count)
        units.extend(drawn.tolist())
        return drawn

    with monkeypatch.context() as patch:
        patch.setattr(trainer.model.dropout, "units", recorded_units)
        batches, negatives = record_batches(trainer, patch)
        trainer.run_epoch(epoch)
    order = [user for batch in batches for user in batch.users.tolist()]
    drawn = [item for rows in negatives for item in rows.flatten().tolist()]
    return dict(zip(STREAMS, (order, drawn, units, elsewhere), strict=True))


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("stream", STREAMS)
def test_the_seed_decides(stream, size, monkeypatch):
    drawn = [streams(monkeypatch, seed=seed, size=size)[stream] for seed in (1, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2] != drawn[3] != drawn[0]


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("stream", STREAMS)
def test_every_epoch_draws_anew_and_by_its_number_alone(stream, size, monkeypatch):
    first, second, third = (streams(monkeypatch, epoch=n, size=size)[stream] for n in (1, 2, 3))
    assert first != second != third != first
    later = streams(monkeypatch, epoch=3, size=size, run_before=(1, 5))
    assert later[stream] == third


@pytest.mark.parametrize("stream", STREAMS[1:])
def test_processes_draw_on_their_own(stream, monkeypatch):
    drawn = [streams(monkeypatch, rank=rank, size=3)[stream] for rank in range(3)]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


def test_processes_share_every_batch(monkeypatch):
    """One order for all of them, in which each takes its own users."""
    whole = streams(monkeypatch, size=1)["order"]
    assert sorted(whole) == list(range(1, USERS + 1))
    shares = [streams(monkeypatch, rank=rank, size=3)["order"] for rank in range(3)]
    for start in range(0, USERS, 8):  # batches of eight: three, three and two users
        batch = whole[start : start + 8]
        for rank, share in enumerate(shares):
            count = len(batch[rank::3])
            assert share[:count] == batch[rank::3]
            del share[:count]
    assert shares == [[], [], []]


def test_negatives_and_dropout_are_other_streams(monkeypatch):
    """One seed for both would tie what is dropped to what is drawn."""
    drawn = []

    def spy(self, *seed):
        drawn.append(seed)
        return reseed(self, *seed)

    trainer = trainer_of(loops=False)
    reseed = type(trainer.model.dropout).reseed
    monkeypatch.setattr(type(trainer.model.dropout), "reseed", spy)
    generator = trainer.steps.start(1)
    assert generator.initial_seed() not in {drawn[0][0], drawn[0][0] >> 1}
    assert torch.initial_seed() == drawn[0][0]


@dataclass(frozen=True)
class Adding(World):
    """One of two processes, of which the other's sums are 1000."""

    def add_up(self, tensor):
        return tensor.add_(1000) if tensor.ndim == 0 else tensor


@pytest.mark.parametrize("rank", [0, 1])
def test_the_loss_is_that_of_all_processes(rank):
    losses = {}
    for world in (Silent(rank, 2), Adding(rank, 2)):
        stats = trainer_of(world=world, loops=False).run_epoch(1)
        assert stats.interactions == 1 + 2 + 5 + 3 + 5  # of all processes
        losses[type(world)] = stats.loss
    assert losses[Adding] - losses[Silent] == pytest.approx(1000 / 16)


def test_the_losses_of_the_processes_add_up_to_that_of_one():
    losses = []
    for world in (World(), Silent(0, 2), Silent(1, 2)):
        histories = toy_sequences([[1, 1], [1, 1, 1], [2, 2, 2, 2], [1, 1], [2, 2]])  # one negative
        settings = {"num_items": 2, "learning_rate": 1e-30, "loops": False}
        losses.append(trainer_of(histories, world=world, **settings).run_epoch(1).loss)
    assert losses[0] == pytest.approx(losses[1] + losses[2], rel=1e-5)
    assert min(losses) > 0.05


def first_weights(folder, monkeypatch, seed):
    """Of the model that the stage `train` begins with."""
    set_params(folder, train__seed=seed)
    begun = []

    class Begun(Exception):  # noqa: N818, it is no error
        pass

    def fit(trainer, *_):
        begun.append(trainer.model.state_dict())
        raise Begun

    monkeypatch.setattr(train, "fit", fit)
    with pytest.raises(Begun):
        train.main()
    return begun[0]


def test_the_seed_decides_the_first_weights(folder, monkeypatch):
    one, again, other = (first_weights(folder, monkeypatch, seed) for seed in (1, 1, 2))
    for name, weight in one.items():
        assert torch.equal(weight, again[name])
        if weight.ndim == 2:
            assert not torch.equal(weight, other[name]), name
