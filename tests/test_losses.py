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

from sasrec.losses import binary_cross_entropy

LOG3 = math.log(3)
STATES = torch.tensor([[1.0, 0], [0, 2], [7, 7]], dtype=torch.float64)
EMBEDDING = torch.tensor(
    [[0.0, 0], [LOG3, 0], [5, -LOG3 / 2], [-LOG3, 9], [8, 0]], dtype=torch.float64
)
TARGETS = torch.tensor([1, 2, 0])
NEGATIVES = torch.tensor([[3, 1], [1, 4], [2, 4]])


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
    states[2], negatives[2] = math.inf, 1
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
