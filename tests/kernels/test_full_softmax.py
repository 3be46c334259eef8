"""Cross-entropy in one pass against the plain formula: values, gradients, padding, blocks."""

import pytest
import torch
from gradient_checks import assert_same_with_gradients, randoms
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_objective_params

from sasrec.kernels.full_softmax import cross_entropy
from sasrec.objectives import losses
from sasrec.objectives.cross_entropy import CrossEntropy

NUM_ITEMS = 7
LOSS = CrossEntropy(toy_objective_params(), NUM_ITEMS)
SMOOTHED = CrossEntropy(toy_objective_params(loss="cross_entropy", label_smoothing=0.3), NUM_ITEMS)
every_smoothing = pytest.mark.parametrize("loss", [LOSS, SMOOTHED], ids=["plain", "smoothed"])


def leaves(slots: int) -> list[torch.Tensor]:
    return randoms((slots, 3), (NUM_ITEMS + 1, 3))


@given(
    targets=st.lists(st.integers(0, NUM_ITEMS), min_size=1, max_size=20),
    at_once=st.sampled_from([1, 17, 1 << 22]),
    factor=st.sampled_from([1.0, -0.3]),
    loss=st.sampled_from([LOSS, SMOOTHED]),
)
def test_values_and_gradients_are_the_formulas(targets, at_once, factor, loss):
    states, embedding = leaves(len(targets))
    expected = factor * loss(states, embedding, torch.tensor(targets))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(losses, "SCORED_AT_ONCE", at_once)
        found = factor * cross_entropy(loss, states, embedding, torch.tensor(targets))
    assert_same_with_gradients(found, expected, [states, embedding])


@every_smoothing
def test_padding_counts_nothing_whatever_stands_there(loss):
    states, embedding = (leaf.detach() for leaf in leaves(4))
    targets = torch.tensor([3, 0, 1, 0])
    before = cross_entropy(loss, states, embedding, targets)
    states[targets == 0] = 1e6
    embedding[0] = 1e6
    torch.testing.assert_close(cross_entropy(loss, states, embedding, targets), before)


def test_scores_far_apart_stay_finite():
    states, embedding = torch.tensor([[1000.0]]), torch.tensor([[0.0], [-1.0], [1.0]])
    assert cross_entropy(LOSS, states, embedding, torch.tensor([1])).item() == 2000.0


@every_smoothing
def test_what_is_not_a_number_shows(loss):
    states, embedding = (leaf.detach() for leaf in leaves(2))
    states[1] = torch.nan
    assert cross_entropy(loss, states, embedding, torch.tensor([1, 2])).isnan()
