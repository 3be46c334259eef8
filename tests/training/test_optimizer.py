"""The one optimizer of a training, with and without embeddings whose rows wait."""

import pytest
import torch
from toys import NUM_ITEMS, toy_config

from sasrec.model.sasrec import SASRec
from sasrec.training.optimizer import BETAS, Optimizer

RATE = 0.01
READ = [2, 3, 5, 7]


def model_of(**changes):
    return SASRec(toy_config(**changes), NUM_ITEMS, seed=1)


def set_gradients(model, step):
    """Of all weights; in the embeddings by item, of the rows that the step reads."""
    generator = torch.Generator().manual_seed(step)
    tables = [id(table) for table in model.item_tables]
    for weight in model.parameters():
        gradient = torch.randn(weight.shape, generator=generator)
        if id(weight) in tables:
            others = torch.ones(len(weight), dtype=torch.bool)
            others[READ] = False
            gradient[others] = 0
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
        weight.grad += gradient


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("waits", [True, False])
def test_steps_are_those_of_torchs_adam(waits, tied):
    model, plain = model_of(tied_embedding=tied), model_of(tied_embedding=tied)
    optimizer = Optimizer(model, RATE, waiting=model.item_tables if waits else [])
    adam = torch.optim.Adam(plain.parameters(), lr=RATE, betas=BETAS)
    assert optimizer.asks is waits
    for step in range(4):
        if optimizer.asks:
            optimizer.read(torch.tensor([*READ, 2]))
        set_gradients(model, step)
        optimizer.step()
        adam.zero_grad()
        set_gradients(plain, step)
        adam.step()
        assert not any(weight.grad.any() for weight in model.parameters())
    optimizer.end_epoch()
    for (name, weight), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("tied", [True, False])
def test_decay_is_that_of_torchs_adamw_for_matrices_alone(tied):
    model, plain = model_of(tied_embedding=tied), model_of(tied_embedding=tied)
    optimizer = Optimizer(model, RATE, waiting=[], decay=0.7)
    groups = [[], []]
    for weight in plain.parameters():
        groups[weight.ndim < 2].append(weight)
    adamw = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.7}, {"params": groups[1], "weight_decay": 0.0}],
        lr=RATE,
        betas=BETAS,
    )
    for step, rate in enumerate((0.01, 0.003, 0.02, 0.0)):
        optimizer.set_rate(rate)
        for group in adamw.param_groups:
            group["lr"] = rate
        set_gradients(model, step)
        optimizer.step()
        adamw.zero_grad()
        set_gradients(plain, step)
        adamw.step()
    optimizer.end_epoch()
    untouched = model.item_embedding[11]  # no step read it
    assert torch.allclose(untouched, model_of().item_embedding[11] * 0.993 * 0.9979 * 0.986)
    for (name, weight), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight, other, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize("changes", [{"decay": 0.1}, {"share": lambda step: 1 / step}])
def test_what_concerns_all_rows_is_not_for_rows_that_wait(changes):
    model = model_of()
    with pytest.raises(AssertionError):
        Optimizer(model, RATE, waiting=model.item_tables, **changes)
    waiting = Optimizer(model, RATE, waiting=model.item_tables)
    with pytest.raises(AssertionError):
        waiting.set_rate(0.1)


@pytest.mark.parametrize("waits", [True, False])
def test_processes_add_up_all_gradients_but_those_of_rows_that_wait(waits):
    model = model_of()
    optimizer = Optimizer(model, RATE, waiting=model.item_tables if waits else [])
    weights = sum(weight.numel() for weight in model.parameters())
    assert optimizer.gradient.numel() == weights - waits * model.item_embedding.numel()
