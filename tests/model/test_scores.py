"""What a score is made of, beside its formula, which test_model.py holds."""

import pytest
import torch
from toys import NUM_ITEMS, ROWS, toy_batch, toy_config, toy_model

from sasrec.model.tables import SCORES

every_table = pytest.mark.parametrize("tied", [True, False])


def scores_of(model):
    return model.last_states(toy_batch(ROWS)) @ model.scoring_embedding.T


def test_dot_is_of_state_and_embedding_as_they_are():
    score = SCORES["dot"](0.05)
    given = torch.ones(2, 3)
    assert score.states(given) is given
    model = toy_model(toy_config())
    assert model.scoring_embedding is model.item_embedding


def test_a_cosine_by_hand():
    score = SCORES["cosine"](0.25)
    states = score.states(torch.tensor([[3.0, 4.0], [-6.0, -8.0]]))
    items = score.items(torch.tensor([[0.0, 0.0], [40.0, 30.0]]))
    expected = torch.tensor([[0.0, 24 / 25 * 4], [0.0, -24 / 25 * 4]])
    torch.testing.assert_close(states @ items.T, expected)


@every_table
def test_how_long_an_embedding_is_counts_nothing_in_a_cosine(tied):
    model = toy_model(toy_config(score="cosine", temperature=0.1, tied_embedding=tied))
    states, before = model.last_states(toy_batch(ROWS)), model.scoring_embedding
    assert (states @ before.T).abs().max() <= 10
    with torch.no_grad():
        model.item_tables[-1] *= torch.arange(1.0, NUM_ITEMS + 2)[:, None]
    torch.testing.assert_close(model.scoring_embedding, before)


def test_a_cosine_only_turns_an_embedding():
    """Its gradient goes through the length: it has no part along the embedding itself."""
    model = toy_model(toy_config(score="cosine", tied_embedding=False))
    scores_of(model).sin().sum().backward()
    weight, gradient = model.output_embedding.weight[1:], model.output_embedding.weight.grad
    assert (gradient[0] == 0).all()
    assert (gradient[1:].norm(dim=1) > 1e-3).all()
    along = (gradient[1:] * weight).sum(1)
    torch.testing.assert_close(along, torch.zeros_like(along), rtol=0, atol=1e-12)


@every_table
def test_the_temperature_divides(tied):
    cold, warm = (
        scores_of(toy_model(toy_config(score="cosine", temperature=t, tied_embedding=tied)))
        for t in (0.1, 0.5)
    )
    torch.testing.assert_close(cold, 5 * warm)


def test_a_state_of_zeros_has_no_gradient():
    """As the first one has where its item is hidden and positions add nothing."""
    states = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    result = SCORES["cosine"](0.05).states(states)
    torch.testing.assert_close(result, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))
    result[:, 0].sum().backward()
    torch.testing.assert_close(states.grad, torch.tensor([[0.0, 0.0], [0.128, -0.096]]))
