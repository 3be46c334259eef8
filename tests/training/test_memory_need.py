"""What training takes of memory: counted, compared with what is free, and said before it begins."""

import numpy as np
import pytest
import torch
from held_memory import HeldMemory
from toy_training import trainer_of
from toys import toy_config, toy_objective_params, toy_sequences, toy_train_params

from sasrec.base.errors import UserError
from sasrec.data.sequences import Sequences
from sasrec.model.sizes import MOST, WIDEST
from sasrec.objectives.views.tables import AUGMENTATIONS
from sasrec.training import memory_need as module
from sasrec.training.memory_need import Settings, check_memory, step_need, weights_need

CPU = torch.device("cpu")
GB = 10**9
MACHINE = 16 * GB


def sequences_of(users, length):
    offsets = np.concatenate([[0], np.arange(users + 1) * length])
    return Sequences(offsets, np.ones(offsets[-1], np.int32))


def settings_of(**changes):
    config = {"hidden_size": 50, "max_length": 200}
    objective, params = {"num_negatives": 1}, {"batch_size": 128}
    sections = (
        (toy_config(), config),
        (toy_objective_params(), objective),
        (toy_train_params(), params),
    )
    for key, value in changes.items():
        (own,) = [values for section, values in sections if key in type(section).model_fields]
        own[key] = value
    return Settings(
        toy_config(**config), toy_objective_params(**objective), toy_train_params(**params)
    )


def check(free=MACHINE, sequences=None, num_items=1349, **changes):
    sequences = sequences or sequences_of(943, 101)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "available_memory", lambda: free)
        check_memory(settings_of(**changes), sequences, num_items, CPU)


TOO_LARGE = {
    "max_length": ("model.max_length", 10**9),
    "hidden_size": ("model.hidden_size", 10**6),
    "num_blocks": ("model.num_blocks", 10**8),
    "num_negatives": ("objective.num_negatives", 10**7),
    "processes": ("train.processes", 10**5),
}


@pytest.mark.parametrize("changes", [{"average": "ema"}, {"refit": True}])
def test_more_copies_of_the_weights_are_counted(changes):
    needed = weights_need(toy_config(hidden_size=50), 10**6)
    check(free=1.3 * needed, num_items=10**6)
    with pytest.raises(UserError, match="of memory"):
        check(free=1.3 * needed, num_items=10**6, **changes)
    check(free=1.8 * needed, num_items=10**6, **changes)


@pytest.mark.parametrize(("name", "value"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_cannot_fit_names_the_parameter(name, value):
    with pytest.raises(UserError, match=f"16 GB are free: lower {name} = {value}$"):
        check(**{name.partition(".")[2]: value})


def test_a_batch_of_many_long_histories_cannot_fit():
    many = sequences_of(10**6, 201)
    check(sequences=many)
    with pytest.raises(UserError, match=r"lower train\.batch_size = 1000000000"):
        check(sequences=many, batch_size=10**9)
    check(batch_size=10**9)  # of 943 users


def test_small_blocks_are_objects_too():
    with pytest.raises(UserError, match=r"lower model\.num_blocks = 10000000"):
        check(hidden_size=1, num_blocks=10**7)


def test_numbers_beyond_any_machine_are_a_sentence():
    with pytest.raises(UserError, match=r"about 2e\+10 GB of memory of this machine, where 16 GB"):
        check(max_length=MOST, hidden_size=WIDEST)
    check(max_length=MOST, position="none")  # no more than the histories have


def test_the_bound_is_the_need_itself():
    need = round(weights_need(settings_of()[0], 1349)) + round(
        step_need(settings_of(), sequences_of(943, 101), "cpu")
    )
    check(free=need + 1)
    with pytest.raises(UserError, match="lower "):
        check(free=need - 2)


def test_a_step_by_hand():
    # Two users of 3 and 7 items: 2 and 4 positions, as long as max_length; 3 and 10 pairs.
    sequences = Sequences(np.array([0, 0, 3, 10]), np.ones(10, np.int32))
    settings = settings_of(hidden_size=2, max_length=4, num_blocks=3, num_negatives=5, num_heads=2)
    ids = 6 * 8 * (4 + 5)
    blocks = 3 * (6 * 2 * 10 * 4 + 2 * 13 * 4)
    assert step_need(settings, sequences, "cpu") == ids + blocks
    # A row of 4 positions a user, without pairs.
    rows = 8 * 8 * (4 + 5) + 3 * 8 * 2 * 10 * 4
    assert step_need(settings, sequences, "cuda") == rows


def test_contrasts_encode_more_by_hand():
    # Two users of 3 and 11 items: 2 and 8 positions, the most that there are, with 3 and 36 pairs.
    # They are encoded for the loss, by another dropout, and once more for partners. Of two views
    # each, 3 and 8 positions of 12 are kept: 6 and 36 pairs.
    sequences = Sequences(np.array([0, 0, 3, 14]), np.ones(14, np.int32))
    shares = toy_objective_params().augmentation_shares.model_dump() | {"insert": 0.5}
    settings = settings_of(
        hidden_size=2,
        max_length=8,
        num_blocks=1,
        contrasts=["dropout", "views", "same_target"],
        augmentations=["insert"],
        augmentation_shares=shares,
    )
    slots, pairs = 3 * 10 + 2 * 11, 3 * 39 + 2 * (6 + 36)
    ids = 10 * 8 * (4 + 1)
    assert step_need(settings, sequences, "cpu") == ids + slots * 2 * 10 * 4 + pairs * 4
    rows = 16 * 8 * (4 + 1) + 5 * 16 * 2 * 10 * 4
    assert step_need(settings, sequences, "cuda") == rows
    # Without blocks: rows of 8 positions, and their views in rows of 16.
    few = settings._replace(model=settings.model.model_copy(update={"num_blocks": 0}))
    assert step_need(few, sequences, "cpu") == ids + 2 * 8 * 8 * (1 + 2)


ADDED = {
    "dropout": {"contrasts": ["dropout"]},
    "same_target": {"contrasts": ["same_target"]},
    "both": {"contrasts": ["dropout", "same_target"]},
    **{
        f"views: {name}": {"contrasts": ["views"], "augmentations": [name]}
        for name in AUGMENTATIONS
    },
    "views: any": {"contrasts": ["views"], "augmentations": list(AUGMENTATIONS)},
    "learnt from": {"augment_training": 1.0, "augmentations": ["insert"]},
}
every_addition = pytest.mark.parametrize("objective", ADDED.values(), ids=ADDED)


def need_and_trainer(lengths, objective, **config):
    """What a step is said to need, and one that learns from all of them in a batch."""
    rows = [[7 * user % 30 + place for place in range(1, n + 1)] for user, n in enumerate(lengths)]
    config = {"dropout": 0.2, "max_length": max(lengths)} | config
    sequences, batch_size = toy_sequences(rows), len(rows)
    trainer = trainer_of(
        sequences, num_items=999, config=config, objective=objective, batch_size=batch_size
    )
    settings = settings_of(**config, **objective, batch_size=batch_size)
    return step_need(settings, sequences, "cpu"), trainer


@every_addition
def test_a_step_holds_what_is_counted(objective):
    def counted_and_held(objective):
        lengths, config = [41, 29, 23, 37] * 4, {"hidden_size": 24, "num_blocks": 2}
        need, trainer = need_and_trainer(lengths, objective, **config)
        trainer.model.train()
        batch = trainer.reader.training_batch(trainer.users)
        prepared = trainer.objective.prepare(batch, torch.Generator().manual_seed(1))
        with HeldMemory() as memory:
            total = trainer.loss(batch, prepared)
            held = memory.now  # for the backward pass
        assert total.requires_grad
        return need, held

    (less, held_then), (need, held) = counted_and_held({}), counted_and_held(objective)
    assert need - less <= held - held_then <= 1.4 * (need - less)


@every_addition
def test_drawing_holds_what_is_counted(objective):
    """Where one history is long, and all rows are as wide."""

    def counted_and_held(objective):
        need, trainer = need_and_trainer([601, *[5] * 7], objective, num_blocks=0)
        batch = trainer.reader.training_batch(trainer.users)
        generator = torch.Generator().manual_seed(1)
        with HeldMemory() as memory:
            trainer.objective.prepare(batch, generator)
        return need, memory.most

    (less, held_then), (need, held) = counted_and_held({}), counted_and_held(objective)
    assert need - less <= held - held_then <= 3 * (need - less)


def test_on_a_gpu_its_own_memory_counts(monkeypatch):
    monkeypatch.setattr(module, "available_memory", lambda: MACHINE)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (GB, 80 * GB))
    arguments = (sequences_of(943, 101), 1349, torch.device("cuda:1"))
    check_memory(settings_of(), *arguments)
    with pytest.raises(UserError, match=r"of memory of cuda:1, where 1\.0 GB are free: lower"):
        check_memory(settings_of(num_negatives=6000), *arguments)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**15, 10**15))
    with pytest.raises(UserError, match=r"of memory of this machine, .* model\.max_length"):
        check_memory(settings_of(max_length=10**9), *arguments)


def test_nobody_to_train_on_is_for_the_trainer_to_say():
    check(sequences=sequences_of(3, 1))
