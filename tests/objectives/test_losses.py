"""The loss by hand.

Scores are chosen as 0 or plus or minus log 3, whose sigmoids are 1/2, 3/4 and 1/4:

    slot  state    target  score   -log s      negatives  scores      -log (1 - s)
    0     (1, 0)   1       log 3   log 4/3     3, 1       -log 3, log 3   log 4/3, log 4
    1     (0, 2)   2       -log 3  log 4       1, 4       0, 0            log 2, log 2
    2     (7, 7)   0       padding
"""

import math

import pytest
import torch
from gradient_checks import (
    assert_adds_to_gradients,
    assert_plain_in_bfloat16,
    assert_same_in_inference,
    assert_same_with_gradients,
    nodes_behind,
    randoms,
)
from torch import Tensor
from torch.nn import functional

from sasrec.objectives import losses as module
from sasrec.objectives.losses import binary_cross_entropy

LOG3 = math.log(3)
STATES = torch.tensor([[1.0, 0], [0, 2], [7, 7]], dtype=torch.float64)
EMBEDDING = torch.tensor(
    [[0.0, 0], [LOG3, 0], [5, -LOG3 / 2], [-LOG3, 9], [8, 0]], dtype=torch.float64
)
TARGETS = torch.tensor([1, 2, 0])
NEGATIVES = torch.tensor([[3, 1], [1, 4], [2, 4]])
NODE = "_BinaryCrossEntropyBackward"
every_count = pytest.mark.parametrize("num_negatives", [1, 2, 5])


def toy_slots(num_negatives: int) -> tuple[Tensor, Tensor]:
    """Targets of eleven slots, five of them padding, and negatives; items come up repeatedly."""
    targets = torch.tensor([0, 1, 4, 0, 4, 10, 0, 0, 2, 0, 3])
    return targets, torch.arange(11 * num_negatives).view(11, -1) * 5 % 7 + 1


def loss_of(num_negatives: int, states: Tensor, embedding: Tensor) -> Tensor:
    targets, negatives = toy_slots(num_negatives)
    return binary_cross_entropy(states, embedding=embedding, targets=targets, negatives=negatives)


def plain(num_negatives: int, states: Tensor, embedding: Tensor) -> Tensor:
    """The same slot by slot and item by item."""
    total = torch.zeros((), dtype=states.dtype)
    for state, target, negatives in zip(states, *toy_slots(num_negatives), strict=True):
        if target > 0:
            total = total - functional.logsigmoid(state @ embedding[target])
            for negative in negatives:
                total = total - functional.logsigmoid(-(state @ embedding[negative]))
    return total


def leaves_of(dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """States and embedding, D = 3."""
    return randoms((11, 3), (13, 3), dtype=dtype)


def test_one_negative():
    loss = binary_cross_entropy(
        STATES, embedding=EMBEDDING, targets=TARGETS, negatives=NEGATIVES[:, :1]
    )
    # log 4/3 + log 4/3 + log 4 + log 2
    assert loss.item() == pytest.approx(math.log(128 / 9), rel=1e-12)


def test_several_negatives_add_up():
    loss = binary_cross_entropy(STATES, embedding=EMBEDDING, targets=TARGETS, negatives=NEGATIVES)
    # and log 4 + log 2 more
    assert loss.item() == pytest.approx(math.log(1024 / 9), rel=1e-12)


def test_gradients_by_hand():
    states, embedding = STATES.clone().requires_grad_(), EMBEDDING.clone().requires_grad_()
    binary_cross_entropy(
        states, embedding=embedding, targets=TARGETS, negatives=NEGATIVES[:, :1]
    ).backward()
    # d loss / d score is s - 1 for a target and s for a negative:
    # slot 0: -1/4 of item 1 and 1/4 of item 3; slot 1: -3/4 of item 2 and 1/2 of item 1.
    expected = [
        (-0.25 * EMBEDDING[1] + 0.25 * EMBEDDING[3]).tolist(),
        (-0.75 * EMBEDDING[2] + 0.5 * EMBEDDING[1]).tolist(),
        [0, 0],
    ]
    torch.testing.assert_close(states.grad, torch.tensor(expected, dtype=torch.float64))
    expected = [[0, 0], [-0.25, 1.0], [0, -1.5], [0.25, 0], [0, 0]]
    torch.testing.assert_close(embedding.grad, torch.tensor(expected, dtype=torch.float64))
    assert (embedding.grad[0] == 0).all()


def test_padding_counts_nothing_whatever_stands_there():
    states, negatives = STATES.clone(), NEGATIVES.clone()
    states[2], negatives[2] = 1e30, 1
    loss = binary_cross_entropy(states, embedding=EMBEDDING, targets=TARGETS, negatives=negatives)
    assert loss.item() == pytest.approx(math.log(1024 / 9), rel=1e-12)


def test_huge_scores_stay_finite():
    loss = binary_cross_entropy(
        torch.tensor([[1000.0]]),
        embedding=torch.tensor([[0.0], [-1.0], [1.0]]),
        targets=torch.tensor([1]),
        negatives=torch.tensor([[2]]),
    )
    assert loss.item() == 2000.0


@every_count
def test_values_and_gradients_are_the_formulas(num_negatives):
    leaves = leaves_of()
    result = loss_of(num_negatives, *leaves)
    assert NODE in nodes_behind(result)
    assert_same_with_gradients(result, plain(num_negatives, *leaves), leaves)


@every_count
@pytest.mark.parametrize("at_once", [1, 5, 20])
def test_scoring_in_several_goes_changes_nothing(num_negatives, at_once, monkeypatch):
    results = []
    for count in (1 << 20, at_once):
        monkeypatch.setattr(module, "SCORED_AT_ONCE", count)
        leaves = leaves_of(torch.float32)
        loss = loss_of(num_negatives, *leaves)
        results.append([loss, *torch.autograd.grad(loss, leaves)])
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))


@every_count
def test_the_plain_path_agrees(num_negatives, monkeypatch):
    leaves = leaves_of()
    monkeypatch.setattr(module, "by_hand", lambda x: False)
    result = loss_of(num_negatives, *leaves)
    assert NODE not in nodes_behind(result)
    assert_same_with_gradients(result, plain(num_negatives, *leaves), leaves)


@every_count
def test_gradients_add_to_those_that_are_there(num_negatives):
    assert_adds_to_gradients(
        lambda *leaves: loss_of(num_negatives, *leaves) / 7,
        lambda *leaves: plain(num_negatives, *leaves) / 7,
        leaves_of(),
    )


@every_count
def test_mixed_precision_takes_the_plain_path(num_negatives):
    assert_plain_in_bfloat16(
        lambda *leaves: loss_of(num_negatives, *leaves), leaves_of(torch.float32), NODE
    )


def test_inference_mode():
    assert_same_in_inference(lambda *leaves: loss_of(2, *leaves), leaves_of())


def test_shapes_that_do_not_fit():
    with pytest.raises(AssertionError, match=r"states \[3, 2\], targets \[2\], negatives \[3, 2\]"):
        binary_cross_entropy(STATES, embedding=EMBEDDING, targets=TARGETS[:2], negatives=NEGATIVES)
    with pytest.raises(AssertionError, match=r"negatives \[2, 2\]"):
        binary_cross_entropy(STATES, embedding=EMBEDDING, targets=TARGETS, negatives=NEGATIVES[:2])
    with pytest.raises(AssertionError, match=r"targets \[3, 2\], negatives \[3\]"):
        binary_cross_entropy(STATES, embedding=EMBEDDING, targets=NEGATIVES, negatives=TARGETS)


def test_arguments_cannot_be_swapped_by_place():
    with pytest.raises(TypeError):
        binary_cross_entropy(STATES, EMBEDDING, TARGETS, NEGATIVES)
