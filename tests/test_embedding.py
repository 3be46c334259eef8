"""Looking rows up, against torch's own embedding."""

import pytest
import torch
from torch.nn import functional

from sasrec.embedding import look_up


def table() -> torch.Tensor:
    generator = torch.Generator().manual_seed(29)
    return torch.randn(7, 3, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize(
    "ids",
    [torch.tensor([2]), torch.tensor([6, 0, 6, 1, 6]), torch.tensor([[1, 1], [4, 2], [0, 5]])],
    ids=["one", "repeated", "two axes"],
)
def test_values_and_gradients_are_torchs(ids):
    embedding = table()
    rows = look_up(embedding, ids)
    expected = functional.embedding(ids, embedding)
    assert torch.equal(rows, expected)
    toward = torch.arange(1.0, rows.numel() + 1, dtype=torch.float64).view(rows.shape)
    (mine,) = torch.autograd.grad(rows, embedding, toward)
    (theirs,) = torch.autograd.grad(expected, embedding, toward)
    torch.testing.assert_close(mine, theirs)


def test_gradient_is_that_of_finite_differences():
    ids = torch.tensor([[1, 5, 1], [0, 6, 5]])
    assert torch.autograd.gradcheck(lambda embedding: look_up(embedding, ids).sin(), table())


def test_an_id_beyond_the_table():
    with pytest.raises((IndexError, RuntimeError), match="out of range"):
        look_up(table(), torch.tensor([7]))


def test_a_gradient_that_is_there_is_added_to():
    ids = torch.tensor([6, 0, 6])
    mine, theirs = table(), table()
    for embedding, looked_up in (
        (mine, look_up),
        (theirs, lambda e, i: functional.embedding(i, e)),
    ):
        for factor in (1.0, 3.0):  # the second time there is a gradient
            (looked_up(embedding, ids).sum() * factor).backward()
            (looked_up(embedding, ids[:2]).sum() * factor).backward()
    torch.testing.assert_close(mine.grad, theirs.grad)
