"""Cross-entropy in one pass against the plain formula: values, gradients, padding, blocks."""

import pytest
import torch
from gradient_checks import assert_same_with_gradients, randoms
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_objective_params

from sasrec.kernels.full_softmax import cross_entropy, cross_entropy_by_loop
from sasrec.objectives import losses
from sasrec.objectives.cross_entropy import CrossEntropy

NUM_ITEMS = 7
LOSS = CrossEntropy(toy_objective_params(), NUM_ITEMS)
SMOOTHED = CrossEntropy(toy_objective_params(loss="cross_entropy", label_smoothing=0.3), NUM_ITEMS)
every_way = pytest.mark.parametrize("compute", [cross_entropy, cross_entropy_by_loop])
every_smoothing = pytest.mark.parametrize("loss", [LOSS, SMOOTHED], ids=["plain", "smoothed"])


def leaves(slots: int) -> list[torch.Tensor]:
    return randoms((slots, 3), (NUM_ITEMS + 1, 3))


@given(
    targets=st.lists(st.integers(0, NUM_ITEMS), min_size=1, max_size=20),
    at_once=st.sampled_from([1, 17, 1 << 22]),
    factor=st.sampled_from([1.0, -0.3]),
    loss=st.sampled_from([LOSS, SMOOTHED]),
)
@every_way
def test_values_and_gradients_are_the_formulas(targets, at_once, factor, loss, compute):
    states, embedding = leaves(len(targets))
    expected = factor * loss(states, embedding, torch.tensor(targets))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "SCORED_AT_ONCE", at_once)
        found = factor * compute(loss, states, embedding, torch.tensor(targets))
    assert_same_with_gradients(found, expected, [states, embedding])


@every_way
@every_smoothing
def test_padding_counts_nothing_whatever_stands_there(loss, compute):
    states, embedding = (leaf.detach() for leaf in leaves(4))
    targets = torch.tensor([3, 0, 1, 0])
    before = compute(loss, states, embedding, targets)
    states[targets == 0] = 1e6
    embedding[0] = 1e6
    torch.testing.assert_close(compute(loss, states, embedding, targets), before)


@every_way
def test_scores_far_apart_stay_finite(compute):
    states, embedding = torch.tensor([[1000.0]]), torch.tensor([[0.0], [-1.0], [1.0]])
    assert compute(LOSS, states, embedding, torch.tensor([1])).item() == 2000.0


@every_way
@every_smoothing
def test_what_is_not_a_number_shows(loss, compute):
    states, embedding = (leaf.detach() for leaf in leaves(2))
    states[1] = torch.nan
    assert compute(loss, states, embedding, torch.tensor([1, 2])).isnan()


@every_way
@every_smoothing
def test_mixed_precision_rounds_factors_and_nothing_else(loss, compute):
    states, embedding = leaves(40)
    targets = torch.arange(40) % (NUM_ITEMS + 1)
    expected = torch.autograd.grad(compute(loss, states, embedding, targets), [states, embedding])
    with torch.autocast("cpu", torch.bfloat16):
        total = compute(loss, states, embedding, targets)
    assert total.dtype == states.dtype
    found = torch.autograd.grad(total, [states, embedding])
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert 0 < (one - other).abs().max() < 0.03 * other.abs().max()
