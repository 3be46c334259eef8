"""A training that is interrupted and goes on comes to the same bytes as one that is not."""

import json

import pytest
import torch
from safetensors.torch import load_file
from toy_interruptions import IDENTITY, state_of, train
from toy_stages import PARAMS, set_params
from toy_training import trainer_of
from toys import ROWS_OF_TABLES, toy_config, toy_objective_params, toy_train_params

from sasrec.base.errors import UserError
from sasrec.base.script import Terminated
from sasrec.machine.distributed import World
from sasrec.objectives.tables import LOSSES, NEGATIVES
from sasrec.training import checkpoints
from sasrec.training import trainer as training
from sasrec.training.checkpoints import FOLDER
from sasrec.training.identity import identity_of
from sasrec.training.memory_need import Settings
from sasrec.training.resuming import of_processes

CASES = {
    "as published": {},
    "dropout": {"config": {"dropout": 0.5}},
    "every second epoch is validated": {"valid_every": 2},
    "average": {"average": "ema", "ema_decay": 0.9},
    "decay and rates that change": {
        "weight_decay": 0.1,
        "schedule": "cosine",
        "warmup_steps": 3,
    },
    "random windows": {"windows": "random", "config": {"max_length": 3}},
    "a contrast": {"objective": {"contrasts": ["dropout"]}, "config": {"dropout": 0.3}},
    "rows that wait": {"num_items": 60, "batch_size": 1},
    "rows of two tables that wait": {
        "num_items": 60,
        "batch_size": 1,
        "config": {"tied_embedding": False},
    },
}


@pytest.fixture(autouse=True)
def every_epoch_is_kept(here, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHARE", 1)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def same(first, second):
    assert first[:3] == second[:3]
    assert first[3].keys() == second[3].keys()
    for name, tensor in first[3].items():
        assert torch.equal(tensor, second[3][name]), name


def kept():
    return sorted(path.name for path in FOLDER.iterdir())


@pytest.mark.parametrize("case", CASES)
def test_it_comes_to_the_same(case, monkeypatch):
    if "wait" in case:
        monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    settings = {"epochs": 5, "patience": 5} | CASES[case]
    undisturbed = train(settings=settings)
    assert undisturbed[0].optimizer.asks is ("wait" in case)
    assert kept() == []
    for stop in (1, 4):
        with pytest.raises(KeyboardInterrupt, match=f"and it goes on after epoch {stop}$"):
            train(stop, settings=settings)
    *result, lines = train(settings=settings)
    same(state_of(*result), state_of(*undisturbed[:2]))
    assert lines[0].startswith("going on after epoch 4 of a training that was interrupted (")
    assert len(lines) == 2, "one more epoch"
    assert kept() == []


@pytest.mark.parametrize(
    ("part", "name"),
    [("config", row) for row in ROWS_OF_TABLES]
    + [("loss", name) for name in LOSSES]
    + [("negatives", name) for name in NEGATIVES],
)
def test_no_part_remembers_what_the_optimizer_does_not(part, name):
    """A row that keeps something from epoch to epoch has to be kept too."""
    changed = {"config": ROWS_OF_TABLES[name]} if part == "config" else {"objective": {part: name}}
    settings = {"loops": False, "batch_size": 2} | changed
    settings["config"] = {"dropout": 0.3} | settings.get("config", {})
    trainer, other = trainer_of(**settings), trainer_of(**settings, model_seed=2)
    trainer.run_epoch(1)
    other.optimizer.load_state(trainer.optimizer.state())
    assert trainer.run_epoch(2).loss == other.run_epoch(2).loss
    for name, weight in trainer.model.state_dict().items():
        assert torch.equal(weight, other.model.state_dict()[name]), name


@pytest.mark.parametrize("average", ["none", "ema"])
@pytest.mark.parametrize("stops", [(2,), (4,), (5,), (2, 5)])
def test_refitting_goes_on_too(stops, average):
    settings = {"epochs": 4, "patience": 9, "average": average}
    undisturbed = train(refits=True, settings=settings)
    assert len(undisturbed[1].refitted) >= 2
    for stop in stops:
        with pytest.raises(KeyboardInterrupt) as caught:
            train(stop, refits=True, settings=settings)
        assert str(caught.value).endswith("of refitting") is (stop > 4)
    *result, lines = train(refits=True, settings=settings)
    same(state_of(*result), state_of(*undisturbed[:2]))
    assert ("epoch 1 of refitting" in lines[0]) is (stops[-1] > 4)


def test_a_training_whose_gains_have_ended_is_not_gone_on_with():
    settings = {"epochs": 30, "patience": 2, "learning_rate": 0.3}
    undisturbed = train(settings=settings)
    last = len(undisturbed[1].history.epochs)
    assert last < 30
    with pytest.raises(KeyboardInterrupt):
        train(last, settings=settings)
    *result, lines = train(settings=settings)
    same(state_of(*result), state_of(*undisturbed[:2]))
    assert [line[:8] for line in lines] == ["going on", "stopped:"]


def test_an_interruption_before_anything_was_kept_says_so(monkeypatch):
    monkeypatch.setattr(checkpoints, "_write", pytest.fail)
    monkeypatch.setattr(checkpoints.Checkpoints, "write", lambda self, content: False)
    with pytest.raises(KeyboardInterrupt, match="no epoch was kept, so the same command starts"):
        train(1)
    assert kept() == []


def test_what_fails_is_kept_for_the_next_time(monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("toy_interruptions.refit", full)
        with pytest.raises(OSError, match="No space"):
            train(refits=True)
    assert len(kept()) == 2
    *_, lines = train(refits=False)
    assert lines[0].startswith("going on after epoch 2")


def test_of_several_processes_all_go_on_and_the_first_reads():
    """The second is given what the first holds."""
    told = []

    class First(World):
        def from_first(self, value):
            told.append(value)
            return value

        def copy_from_first(self, tensor):
            told.append(tensor.clone())
            return tensor

        def add_up(self, tensor):
            return tensor

    class Second(First):
        def from_first(self, value):
            assert value is None
            return told.pop(0)

        def copy_from_first(self, tensor):
            return tensor.copy_(told.pop(0))

    first, second = First(0, 2), Second(1, 2)
    with pytest.raises(KeyboardInterrupt):
        train(2, settings={"epochs": 2}, world=first)
    del told[:]
    trainer, progress, _ = train(settings={"epochs": 2}, world=first)
    assert progress.history.best_epoch
    other, progress, lines = train(settings={"epochs": 2}, world=second)
    assert (told, lines) == ([], [])
    same(state_of(trainer, progress), state_of(other, progress))


@pytest.mark.parametrize("error", [KeyboardInterrupt, Terminated])
def test_whoever_waits_for_processes_says_how_to_go_on(error):
    with pytest.raises(error, match="the same command again, and it goes on"), of_processes():
        raise error


def test_another_training_starts_anew_and_says_why():
    with pytest.raises(KeyboardInterrupt):
        train(1)
    *_, lines = train(identity=IDENTITY | {"code": "x", "data": "y"})
    assert "is another one by its data and code: this one starts anew" in lines[0]
    assert len(kept()) == 2, "the other one is still there"


@pytest.mark.parametrize("change", ["shape", "name", "facts"])
def test_a_checkpoint_that_fits_another_model_is_refused(change):
    with pytest.raises(KeyboardInterrupt):
        train(1)
    (path,) = FOLDER.glob("*.safetensors")
    tensors, facts = checkpoints._read(path, IDENTITY)
    if change == "shape":
        tensors["weights"] = tensors["weights"][1:].clone()
    elif change == "name":
        tensors["more"] = torch.zeros(1)
    else:
        facts = {"epochs": "three"}
    checkpoints._write(path, IDENTITY, checkpoints.Content(tensors, facts))
    with pytest.raises(UserError, match=r"does not fit this training: remove .cache/checkpoints"):
        train()


def test_all_that_decides_a_training_names_it(folder, monkeypatch):
    def identity(*, world=World(), **changes):  # noqa: B008
        kinds = (toy_config, toy_objective_params, toy_train_params)
        sections = [
            kind(**changes.pop(name, {}))
            for kind, name in zip(kinds, ("model", "objective", "train"), strict=True)
        ]
        paths = [folder / "data/split" / name for name in ("train", "valid")]
        given = {"filter_seen": True, "script": folder / "params.yaml"} | changes
        return identity_of(
            Settings(*sections), data=paths, device=torch.device("cpu"), world=world, **given
        )

    def differing(**changes):
        now = identity(**changes)
        return [name for name, value in before.items() if now[name] != value]

    before = identity()
    assert differing() == []
    assert differing(model={"dropout": 0.1}) == ["parameters"]
    assert differing(objective={"num_negatives": 3}) == ["parameters"]
    assert differing(train={"seed": 9}) == ["parameters"]
    assert differing(filter_seen=False) == ["parameters"]
    assert differing(world=World(0, 2)) == ["machine"]
    with monkeypatch.context() as patch:
        patch.setattr("pandas.__version__", "0.1")
        assert differing() == ["versions"]
    candidates = folder / "data/split/valid/candidates.npy"
    content = candidates.read_bytes()
    candidates.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert differing() == ["data"]
    candidates.write_bytes(content)
    assert differing() == []
    set_params(folder, train__seed=PARAMS["train"]["seed"] + 1)  # it stands for the script
    assert differing() == ["code"]


def test_what_is_kept_holds_nothing_that_could_be_run():
    with pytest.raises(KeyboardInterrupt):
        train(2)
    (path,) = FOLDER.glob("*.safetensors")
    tensors = load_file(path)
    assert {"weights", "adam.step", "adam.exp_avg", "adam.exp_avg_sq"} < tensors.keys()
    assert json.loads(json.dumps(checkpoints._read(path, IDENTITY).facts))["best_epoch"] >= 1
