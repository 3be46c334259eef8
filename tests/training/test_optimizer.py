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


@pytest.mark.parametrize("waits", [True, False])
def test_processes_add_up_all_gradients_but_those_of_rows_that_wait(waits):
    model = model_of()
    optimizer = Optimizer(model, RATE, waiting=model.item_tables if waits else [])
    weights = sum(weight.numel() for weight in model.parameters())
    assert optimizer.gradient.numel() == weights - waits * model.item_embedding.numel()
