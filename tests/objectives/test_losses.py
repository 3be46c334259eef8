"""Losses by hand and by closed forms, and what must hold for every row of the table.

Scores are chosen as 0 or plus or minus log 3, whose sigmoids are 1/2, 3/4 and 1/4:

    slot  state    target  score   -log s      negatives  scores      -log (1 - s)
    0     (1, 0)   1       log 3   log 4/3     3, 1       -log 3, log 3   log 4/3, log 4
    1     (0, 2)   2       -log 3  log 4       1, 4       0, 0            log 2, log 2
    2     (7, 7)   0       padding
"""

import math

import pytest
import torch
from gradient_checks import assert_same_with_gradients, randoms
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from toys import toy_objective_params

from sasrec.objectives import losses as module
from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.cross_entropy import CrossEntropy
from sasrec.objectives.gbce import GeneralisedBinaryCrossEntropy
from sasrec.objectives.losses import Loss
from sasrec.objectives.sampled_softmax import SampledSoftmax
from sasrec.objectives.tables import LOSSES

LOG3 = math.log(3)
STATES = torch.tensor([[1.0, 0], [0, 2], [7, 7]], dtype=torch.float64)
EMBEDDING = torch.tensor(
    [[0.0, 0], [LOG3, 0], [5, -LOG3 / 2], [-LOG3, 9], [8, 0]], dtype=torch.float64
)
TARGETS = torch.tensor([1, 2, 0])
NEGATIVES = torch.tensor([[3, 1], [1, 4], [2, 4]])
NUM_ITEMS, SLOTS = 12, 11

every_loss = pytest.mark.parametrize("name", LOSSES)


def loss_named(name: str, num_negatives: int = 2, **settings: object) -> Loss:
    params = toy_objective_params(loss=name, num_negatives=num_negatives, **settings)
    return LOSSES[name](params, NUM_ITEMS)


def toy_slots(loss: Loss) -> tuple[Tensor, ...]:
    """Targets of eleven slots, five of them padding, and negatives; items come up repeatedly."""
    targets = torch.tensor([0, 1, 4, 0, 4, 10, 0, 0, 2, 0, 3])
    count = SLOTS * loss.num_negatives
    return targets, *drawn_for(loss, torch.arange(count).view(SLOTS, -1) * 5 % 7 + 1)


def drawn_for(loss: Loss, negatives: Tensor) -> tuple[Tensor, ...]:
    """What the loss asks for: nothing, negatives, or their logarithmic odds too."""
    if not loss.num_negatives:
        return ()
    return (negatives, negatives.sin().double()) if loss.corrects else (negatives,)


def leaves_of() -> list[Tensor]:
    """States and embedding, D = 3."""
    return randoms((SLOTS, 3), (NUM_ITEMS + 1, 3))


# Binary cross-entropy


def binary(states: Tensor, embedding: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
    params = toy_objective_params(num_negatives=negatives.shape[-1])
    return BinaryCrossEntropy(params, 4)(states, embedding, targets, negatives)


def test_one_negative():
    # log 4/3 + log 4/3 + log 4 + log 2
    loss = binary(STATES, EMBEDDING, TARGETS, NEGATIVES[:, :1])
    assert loss.item() == pytest.approx(math.log(128 / 9), rel=1e-12)


def test_several_negatives_add_up():
    # and log 4 + log 2 more
    loss = binary(STATES, EMBEDDING, TARGETS, NEGATIVES)
    assert loss.item() == pytest.approx(math.log(1024 / 9), rel=1e-12)


def test_gradients_by_hand():
    states, embedding = STATES.clone().requires_grad_(), EMBEDDING.clone().requires_grad_()
    binary(states, embedding, TARGETS, NEGATIVES[:, :1]).backward()
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


def test_huge_scores_stay_finite():
    embedding = torch.tensor([[0.0], [-1.0], [1.0]])
    loss = binary(torch.tensor([[1000.0]]), embedding, torch.tensor([1]), torch.tensor([[2]]))
    assert loss.item() == 2000.0


def test_shapes_that_do_not_fit():
    with pytest.raises(AssertionError, match=r"states \[3, 2\], targets \[2\], negatives \[3, 2\]"):
        binary(STATES, EMBEDDING, TARGETS[:2], NEGATIVES)
    with pytest.raises(AssertionError, match=r"negatives \[2, 2\]"):
        binary(STATES, EMBEDDING, TARGETS, NEGATIVES[:2])
    with pytest.raises(AssertionError, match=r"targets \[3, 2\], negatives \[3\]"):
        binary(STATES, EMBEDDING, NEGATIVES, TARGETS)


# gBCE


def test_gbce_weighs_the_positive():
    # K = 2 of N - 1 = 8 others: a = 1/4, and at t = 1/2 the weight is 1/4 (-3/2 + 4) = 5/8.
    params = toy_objective_params(num_negatives=2, calibration=0.5)
    loss = GeneralisedBinaryCrossEntropy(params, 9)
    assert loss.positive_weight == pytest.approx(5 / 8)
    found = loss(STATES, EMBEDDING, TARGETS, NEGATIVES).item()
    positive, negatives = math.log(16 / 3), math.log(64 / 3)
    assert found == pytest.approx(5 / 8 * positive + negatives, rel=1e-12)


@given(count=st.integers(1, 40), num_items=st.integers(2, 40))
def test_gbces_ends(count, num_items):
    weights = [
        GeneralisedBinaryCrossEntropy(
            toy_objective_params(num_negatives=count, calibration=t), num_items
        ).positive_weight
        for t in (0.0, 1.0)
    ]
    assert weights == pytest.approx([1, min(1, count / (num_items - 1))])


# Sampled softmax


def test_sampled_softmax_by_hand():
    # Slot 0: scores log 3; -log 3, log 3. Slot 1: -log 3; 0, 0. Odds 1/2 and 4.
    odds = torch.tensor([[0.5, 4.0]] * 3, dtype=torch.float64).log()
    loss = SampledSoftmax(toy_objective_params(), 4)
    found = loss(STATES, EMBEDDING, TARGETS, NEGATIVES, odds)
    expected = math.log((3 + 2 / 3 + 3 / 4) / 3) + math.log((1 / 3 + 2 + 1 / 4) * 3)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_with_all_other_items_as_negatives_it_is_cross_entropy():
    (states, embedding), targets = leaves_of(), torch.arange(1, SLOTS + 1)
    others = torch.arange(1, NUM_ITEMS).expand(SLOTS, -1)
    others = others + (others >= targets[:, None])
    whole = loss_named("cross_entropy")(states, embedding, targets)
    sampled = loss_named("sampled_softmax", NUM_ITEMS - 1, logq=False)
    found = sampled(states, embedding, targets, others)
    assert_same_with_gradients(found, whole, [states, embedding])


# Cross-entropy


def test_cross_entropy_by_hand():
    # Scores of items 1 to 4 after slot 0: log 3, 5, -log 3, 8; after slot 1: 0, -log 3, 18, 0.
    first = math.log(3 + math.exp(5) + 1 / 3 + math.exp(8)) - LOG3
    second = math.log(1 + 1 / 3 + math.exp(18) + 1) + LOG3
    loss = CrossEntropy(toy_objective_params(), 4)(STATES, EMBEDDING, TARGETS)
    assert loss.item() == pytest.approx(first + second, rel=1e-12)


def test_cross_entropy_is_torchs_over_all_scores():
    (states, embedding), loss = leaves_of(), loss_named("cross_entropy")
    (targets,) = toy_slots(loss)
    scores = states @ embedding[1:].T
    expected = functional.cross_entropy(scores[targets > 0], targets[targets > 0] - 1)
    found = loss(states, embedding, targets) / (targets > 0).sum()
    assert_same_with_gradients(found, expected, [states, embedding])


@pytest.mark.parametrize("at_once", [1, 30, 1 << 22])
@pytest.mark.parametrize("smoothing", [0.1, 0.75])
def test_smoothed_labels_are_torchs(smoothing, at_once, monkeypatch):
    (states, embedding), loss = leaves_of(), loss_named("cross_entropy", label_smoothing=smoothing)
    (targets,) = toy_slots(loss)
    scores = states @ embedding[1:].T
    expected = functional.cross_entropy(
        scores[targets > 0], targets[targets > 0] - 1, label_smoothing=smoothing, reduction="sum"
    )
    monkeypatch.setattr(module, "SCORED_AT_ONCE", at_once)
    assert_same_with_gradients(loss(states, embedding, targets), expected, [states, embedding])


def test_smoothed_labels_by_hand():
    # As above after slot 0, of a label of 0.9 and 0.1 spread over four items: 0.925 and thrice
    # 0.025.
    scores = [LOG3, 5, -LOG3, 8]
    total = math.log(sum(map(math.exp, scores)))
    expected = 0.925 * (total - LOG3) + 0.025 * sum(total - score for score in scores[1:])
    loss = CrossEntropy(toy_objective_params(loss="cross_entropy", label_smoothing=0.1), 4)
    found = loss(STATES[:1], EMBEDDING, TARGETS[:1])
    assert found.item() == pytest.approx(expected, rel=1e-12)
    every = STATES[:1] @ EMBEDDING.T
    assert loss.of_scores(every[:, 1], every[:, 2:], every).item() == pytest.approx(expected)


# Every row


@every_loss
def test_gradient_is_that_of_finite_differences(name):
    loss = loss_named(name)
    slots = toy_slots(loss)
    assert torch.autograd.gradcheck(lambda *leaves: loss(*leaves, *slots), leaves_of())


@every_loss
def test_padding_counts_nothing_whatever_stands_there(name):
    loss = loss_named(name)
    targets, *drawn = toy_slots(loss)
    (states, embedding) = (leaf.detach() for leaf in leaves_of())
    before = loss(states, embedding, targets, *drawn)
    states[targets == 0] = 1e6
    embedding[0] = 1e6
    torch.testing.assert_close(loss(states, embedding, targets, *drawn), before)


@every_loss
@pytest.mark.parametrize("num_negatives", [1, 5])
@pytest.mark.parametrize("at_once", [1, 30, 100])
def test_blocks_of_slots_change_nothing(name, num_negatives, at_once, monkeypatch):
    loss, leaves = loss_named(name, num_negatives), leaves_of()
    whole = loss(*leaves, *toy_slots(loss))
    monkeypatch.setattr(module, "SCORED_AT_ONCE", at_once)
    assert_same_with_gradients(loss(*leaves, *toy_slots(loss)), whole, leaves)


class Largest(TorchDispatchMode):
    """The size of the largest tensor that is made."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        if isinstance(result, Tensor):
            self.size = max(self.size, result.numel())
        return result


@every_loss
def test_the_scores_of_a_batch_are_never_whole_in_memory(name, monkeypatch):
    monkeypatch.setattr(module, "SCORED_AT_ONCE", 1000)
    loss = LOSSES[name](toy_objective_params(num_negatives=90), 99)
    states, embedding = randoms((500, 3), (100, 3))
    targets = torch.arange(500) % 99 + 1
    drawn = drawn_for(loss, torch.ones(500, 90, dtype=torch.int64))
    with Largest() as largest:
        loss(states, embedding, targets, *drawn).backward()
    assert largest.size <= 1500  # what a gradient of states takes; whole it were 45,000 or more


@every_loss
def test_validation_computes_the_same(name):
    """For one target, with the negatives as candidates."""
    loss, (states, embedding) = loss_named(name, 3, logq=False), leaves_of()
    targets, negatives = torch.tensor([4]), torch.tensor([[7, 2, 11]])
    scores = states[:1] @ embedding.T
    found = loss.of_scores(scores[:, 4], scores[:, negatives[0]], scores)
    expected = loss(states[:1], embedding, targets, *drawn_for(loss, negatives))
    assert found.shape == (1,)
    torch.testing.assert_close(found.squeeze(), expected)


@every_loss
def test_a_higher_score_of_the_target_is_a_lower_loss(name):
    loss = loss_named(name)
    targets, drawn = torch.tensor([1]), drawn_for(loss, torch.tensor([[2, 3]]))
    losses = []
    for score in (-1.0, 0.0, 2.0):
        embedding = torch.zeros(NUM_ITEMS + 1, 1)
        embedding[1] = score
        losses.append(loss(torch.ones(1, 1), embedding, targets, *drawn).item())
    assert losses[0] > losses[1] > losses[2] > 0


@every_loss
def test_labels_are_smoothed_or_that_is_refused(name):
    if LOSSES[name].smooths:
        assert loss_named(name, label_smoothing=0.1).smoothing == 0.1
        with pytest.raises(ValidationError, match="less than 1"):
            loss_named(name, label_smoothing=1.0)
    else:
        with pytest.raises(ValidationError, match=f"label_smoothing = 0.1 with loss = {name}, "):
            loss_named(name, label_smoothing=0.1)


def test_a_loss_says_how_it_computes():
    with pytest.raises(TypeError, match=r"abstract .*forward.*of_scores"):
        Loss()
