"""Items and positions against torch's own embedding."""

import math

import pytest
import torch
from gradient_checks import (
    RecordedNoise,
    assert_adds_to_gradients,
    assert_same_in_inference,
    assert_same_with_gradients,
    nodes_behind,
    randoms,
)
from torch import Tensor
from torch.nn import functional

from sasrec.model import embedding as module
from sasrec.model.embedding import add_rows, embed
from sasrec.model.noise import Noise

ITEMS = torch.tensor([6, 0, 6, 1, 6, 3])
POSITIONS = torch.tensor([0, 2, 1, 0, 0, 2])
NODE = "_EmbedBackward"


def tables(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Embeddings of seven items and four positions, D = 3."""
    return randoms((7, 3), (4, 3), dtype=dtype)


def embedded(item_table: Tensor, position_table: Tensor | None, noise: Noise | None) -> Tensor:
    return embed(
        ITEMS, POSITIONS, item_embedding=item_table, position_embedding=position_table, noise=noise
    )


def plain(item_table: Tensor, position_table: Tensor | None, keep: Tensor | float = 1) -> Tensor:
    x = functional.embedding(ITEMS, item_table) * math.sqrt(3)
    if position_table is not None:
        x = x + functional.embedding(POSITIONS, position_table)
    return x * keep


@pytest.mark.parametrize("rate", [None, 0.2, 0.5])
def test_values_and_gradients_are_torchs(rate):
    leaves, noise = tables(), rate and RecordedNoise(rate, 5)
    result = embedded(*leaves, noise)
    assert NODE in nodes_behind(result)
    keep = noise.factors[0].view(6, 3) if noise else 1
    assert_same_with_gradients(result, plain(*leaves, keep), leaves)


@pytest.mark.parametrize("rate", [None, 0.5])
def test_without_positions(rate):
    leaves, noise = tables()[:1], rate and RecordedNoise(rate, 5)
    result = embedded(*leaves, None, noise)
    keep = noise.factors[0].view(6, 3) if noise else 1
    assert_same_with_gradients(result, plain(*leaves, None, keep), leaves)


@pytest.mark.parametrize("rate", [None, 0.5])
def test_the_plain_path_agrees(rate, monkeypatch):
    leaves = tables()
    by_hand = embedded(*leaves, rate and Noise(rate, 5))
    monkeypatch.setattr(module, "by_hand", lambda x: False)
    result = embedded(*leaves, rate and Noise(rate, 5))
    assert NODE not in nodes_behind(result)
    assert_same_with_gradients(by_hand, result, leaves)


def test_gradient_is_that_of_finite_differences():
    assert torch.autograd.gradcheck(lambda *leaves: embedded(*leaves, None).sin(), tables())


def test_gradients_add_to_those_that_are_there():
    noise = RecordedNoise(0.5, 5)

    def mine(*leaves: Tensor) -> Tensor:
        noise.factors.clear()
        return embedded(*leaves, noise)

    def theirs(*leaves: Tensor) -> Tensor:
        return plain(*leaves, noise.factors[0].view(6, 3))

    assert_adds_to_gradients(mine, theirs, tables())


def test_a_table_that_is_computed_gets_its_gradient():
    leaves = tables()
    results = [
        formula(*(leaf.tanh() for leaf in leaves), argument)
        for formula, argument in ((embedded, None), (plain, 1))
    ]
    assert_same_with_gradients(*results, leaves)


def test_mixed_precision_takes_the_plain_path():
    leaves = tables(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = embedded(*leaves, Noise(0.5, 5))
    assert NODE not in nodes_behind(mixed)
    assert_same_with_gradients(mixed, embedded(*leaves, Noise(0.5, 5)), leaves)  # all float32


@pytest.mark.parametrize("rate", [None, 0.5])
def test_inference_mode(rate):
    assert_same_in_inference(lambda *leaves: embedded(*leaves, rate and Noise(rate, 5)), tables())


def test_an_id_beyond_the_table():
    items, positions = torch.tensor([7]), torch.tensor([0])
    item_table, position_table = tables()
    with pytest.raises((IndexError, RuntimeError), match="out of range"):
        embed(
            items,
            positions,
            item_embedding=item_table,
            position_embedding=position_table,
            noise=None,
        )


def test_rows_are_added_in_place_only_where_a_gradient_is():
    table = torch.zeros(4, 2, requires_grad=True)
    ids, rows = torch.tensor([3, 1, 3]), torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    total = [[0.0, 0], [6, 8], [0, 0], [12, 16]]
    assert add_rows(table, ids, 2.0 * rows).tolist() == total
    assert table.grad is None
    table.grad = torch.ones(4, 2)
    assert add_rows(table, ids, 2.0 * rows) is None
    assert table.grad.tolist() == [[value + 1 for value in row] for row in total]
