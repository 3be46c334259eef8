"""Training with rows of the embeddings that wait until they are read."""

import pytest
import torch
from torch.nn import functional
from toy_training import trainer_of

from sasrec.base.errors import UserError
from sasrec.kernels.inputs import gradient_of
from sasrec.machine.distributed import World
from sasrec.objectives.term import Term
from sasrec.training import deferred_adam
from sasrec.training import trainer as training
from sasrec.training.deferred_adam import DeferredAdam
from sasrec.training.optimizer import BETAS


def deferred(trainer):
    """The optimizers whose rows wait."""
    return trainer.optimizer._deferred


def weights_after(epochs, **settings):
    trainer = trainer_of(batch_size=1, num_items=60, **settings)
    losses = [trainer.run_epoch(epoch).loss for epoch in range(1, epochs + 1)]
    return len(deferred(trainer)), losses, dict(trainer.model.named_parameters())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("variant", ["official", "post_norm"])
def test_training_is_that_of_adam_over_all_rows(tied, variant, monkeypatch):
    config = {"tied_embedding": tied, "variant": variant, "dropout": 0.2}
    results = {}
    for least in (0, 1e9):
        monkeypatch.setattr(training, "DEFERRED_FROM", least)
        results[least] = weights_after(4, config=config)
    (tables, losses, weights), (none, dense_losses, dense_weights) = results[0], results[1e9]
    assert (tables, none) == (1 if tied else 2, 0)
    assert losses == pytest.approx(dense_losses, abs=1e-5)
    for name, weight in weights.items():
        torch.testing.assert_close(weight, dense_weights[name], rtol=0, atol=2e-4, msg=name)
    assert not weights["inputs.parts.item.embedding.weight"][0].any(), "padding stays zero"


def test_the_same_seed_gives_the_same_bytes(monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    results = [weights_after(2)[2] for _ in range(2)]
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_rows_wait_where_a_step_reads_few_of_many_items():
    # 16 positions of five users: 3.2 a user, so 6.4 a batch of two, and each reads three items.
    least = training.DEFERRED_FROM * 6.4 * 3
    assert deferred(trainer_of(batch_size=2, num_items=int(least) + 1))
    assert not deferred(trainer_of(batch_size=2, num_items=int(least) - 1))
    two = {"num_negatives": 2}
    assert not deferred(trainer_of(batch_size=2, num_items=int(least) + 1, objective=two))


def test_rows_do_not_wait_where_processes_read_different_items():
    many = {"batch_size": 1, "num_items": 10_000}
    assert deferred(trainer_of(**many))
    assert not deferred(trainer_of(**many, world=World(0, 2)))


@pytest.mark.parametrize(
    "changes", [{"kernels": "plain"}, {"compile": True}, {"objective": {"loss": "cross_entropy"}}]
)
def test_rows_do_not_wait_without_loops_or_where_every_item_is_read(changes, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model, **_options: model)
    assert not deferred(trainer_of(batch_size=1, num_items=10_000, **changes))


def test_every_item_is_up_to_date_after_an_epoch(monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    trainer = trainer_of(batch_size=1, num_items=60)
    trainer.run_epoch(1)
    (adam,) = deferred(trainer)
    assert adam.steps == 5
    assert (adam._step_of == 5).all()
    assert not trainer.model.item_embedding.grad.any()


def over_all_items(states, embedding, targets):
    """Cross-entropy over the whole catalogue, by autograd."""
    return functional.cross_entropy(states @ embedding.T, targets, reduction="sum")


class InPlace(torch.autograd.Function):
    """The same gradient in every row of an embedding, added where ours are added."""

    @staticmethod
    def forward(ctx, states, embedding, row):
        ctx.embedding, ctx.row, ctx.shape = embedding, row, states.shape
        return states.sum() * 0

    @staticmethod
    def backward(ctx, gradient):
        total, result = gradient_of(ctx.embedding)
        total[ctx.row] += 0.5
        return torch.zeros(ctx.shape), result, None


EXTRA_LOSSES = {
    "by autograd": over_all_items,
    "in place": lambda states, embedding, targets: InPlace.apply(states, embedding, slice(None)),
    "one row in place": lambda states, embedding, targets: InPlace.apply(states, embedding, 60),
    "one row downwards": lambda states, embedding, targets: -embedding[60].sum(),
    "tiny": lambda *arguments: over_all_items(*arguments) * 1e-30,
    "not a number": lambda states, embedding, targets: embedding[60].sum() * torch.nan,
}


def trainer_with(extra, first_step, monkeypatch, **settings):
    """A trainer of 5 steps an epoch whose loss has another term from a step on, in 90 items."""
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    trainer = trainer_of(batch_size=1, num_items=90, **settings)
    term = Extra(extra, first_step)
    trainer.objective.terms.append(term)
    return trainer, term.done


class Extra(Term):
    """A term that counts from a step on, and declares nothing."""

    name = "extra"

    def __init__(self, loss, first_step):
        super().__init__()
        self.loss, self.first_step, self.done = loss, first_step, []

    def forward(self, model, encode, batch, states, prepared):
        self.done.append(len(self.done) + 1)
        if len(self.done) < self.first_step:
            return states.new_zeros(())
        return self.loss(states, model.scoring_embedding, batch.targets)


MESSAGE = (
    r"row \d+ of (inputs.parts.item.embedding|output_embedding).weight got a gradient in a step "
    ".*items_read"
)


@pytest.mark.parametrize("extra", EXTRA_LOSSES.values(), ids=EXTRA_LOSSES)
@pytest.mark.parametrize("tied", [True, False])
def test_a_loss_over_other_items_is_refused_at_its_first_step(extra, tied, monkeypatch):
    config = {"tied_embedding": tied}
    trainer, steps = trainer_with(extra, 1, monkeypatch, config=config)
    with pytest.raises(UserError, match=MESSAGE) as caught:
        trainer.run_epoch(1)
    assert steps == [1]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("extra", EXTRA_LOSSES.values(), ids=EXTRA_LOSSES)
@pytest.mark.parametrize("first_step", [2, 5, 8, 10])
def test_other_items_from_a_later_step_on_are_refused_in_that_epoch(extra, first_step, monkeypatch):
    trainer, steps = trainer_with(extra, first_step, monkeypatch)
    epoch = 1
    if first_step > 5:
        trainer.run_epoch(1)
        epoch = 2
    with pytest.raises(UserError, match=MESSAGE):
        trainer.run_epoch(epoch)
    assert first_step <= len(steps) <= 5 * epoch


def test_a_row_that_is_read_later_does_not_hide_what_was_left_in_it():
    adam = DeferredAdam(torch.nn.Parameter(torch.ones(7, 6)), learning_rate=0.1, betas=(0.9, 0.98))
    for step in range(2):
        adam.read(torch.tensor([1]))
        adam.weight.grad[1 + 4 * step] = 1
        adam.step()
    with pytest.raises(UserError, match="row 5 of an embedding got a gradient"):
        adam.read(torch.tensor([2, 5]))


def test_a_loss_over_items_that_it_declares_is_welcome(monkeypatch):
    trainer, steps = trainer_with(over_all_items, 1, monkeypatch)
    monkeypatch.setattr(Extra, "items_read", lambda *arguments: (torch.arange(91),))
    trainer.run_epoch(1)
    monkeypatch.setattr(training, "DEFERRED_FROM", 1e9)
    dense = trainer_of(batch_size=1, num_items=90)
    dense.objective.terms.append(Extra(over_all_items, 1))
    dense.run_epoch(1)
    assert steps == dense.objective.terms[1].done == [1, 2, 3, 4, 5]
    for (name, weight), other in zip(
        trainer.model.named_parameters(), dense.model.parameters(), strict=True
    ):
        torch.testing.assert_close(weight, other, rtol=0, atol=2e-4, msg=name)


def test_checks_change_nothing(monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    checked = weights_after(2)[2]
    monkeypatch.setattr(DeferredAdam, "_check_rows", lambda self, start, stop: None)
    monkeypatch.setattr(DeferredAdam, "_refuse_gradients", lambda self: None)
    unchecked = weights_after(2)[2]
    assert all(torch.equal(checked[name], unchecked[name]) for name in checked)


def large_table():
    parameter = torch.nn.Parameter(torch.ones(101, 6))
    return DeferredAdam(parameter, learning_rate=0.1, betas=BETAS)


def catch_up_often(adam):
    for _ in range(15):  # seven rows each time: more than there are
        adam.catch_up()


@pytest.mark.parametrize("row", range(0, 101, 10))
def test_all_rows_of_a_catalogue_far_larger_than_the_data_are_checked_in_turn(row, monkeypatch):
    monkeypatch.setattr(deferred_adam, "CHECKED_AT_LEAST", 7)
    adam = large_table()
    for _ in range(5):  # the next check begins anywhere
        adam.catch_up()
    adam.weight.grad[row, 5] = 1e-30
    with pytest.raises(UserError, match=f"row {row} of an embedding"):
        catch_up_often(adam)


def test_an_epoch_checks_twice_as_many_rows_as_it_read(monkeypatch):
    monkeypatch.setattr(deferred_adam, "CHECKED_AT_LEAST", 7)
    adam, checked, check = large_table(), [], DeferredAdam._check_rows

    def spy(self, start, stop):
        checked.extend(range(101)[start:stop])
        check(self, start, stop)

    monkeypatch.setattr(DeferredAdam, "_check_rows", spy)
    for ids in (range(20), range(15, 25)):
        adam.read(torch.tensor(ids))
        adam.step()
    assert checked == list(range(101)), "all after the first step"
    del checked[:]
    adam.catch_up()
    assert checked == list(range(60))
    adam.catch_up()
    assert checked == list(range(67)), "nothing was read since"
    adam.read(torch.arange(20))
    adam.step()
    adam.catch_up()
    assert checked == [*range(101), *range(6)]
    adam.read(torch.arange(60))
    adam.step()
    del checked[:]
    adam.catch_up()
    assert checked == list(range(101))


@pytest.mark.parametrize("steps", range(8))
def test_every_component_of_rows_that_are_read_is_looked_at_in_turn(steps):
    refused = []
    for component in range(6):
        adam = large_table()
        for _ in range(steps):
            adam.read(torch.tensor([1]))
            adam.step()
        adam.weight.grad[2, component] = 1
        try:
            adam.read(torch.tensor([3, 2]))
        except UserError:
            refused.append(component)
    assert refused == [steps % 6]


@pytest.mark.parametrize("waiting", [True, False])
@pytest.mark.parametrize("what", ["gradients", "weights"])
def test_what_is_put_elsewhere_is_refused(waiting, what, monkeypatch):
    monkeypatch.setattr(training, "DEFERRED_FROM", 0 if waiting else 1e9)
    trainer = trainer_of(batch_size=1, num_items=60)
    weight = trainer.model.item_embedding
    if what == "gradients":
        trainer.model.zero_grad(set_to_none=True)
    else:
        weight.data = weight.data.clone()
    with pytest.raises(
        UserError, match=f"the {what} of inputs.parts.item.embedding.weight were put elsewhere"
    ):
        trainer.run_epoch(1)
