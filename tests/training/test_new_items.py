"""Items that training never saw get embeddings from their genres and years."""

import numpy as np
import pytest
import torch
from toys import toy_config, toy_sequences

from sasrec.base.errors import UserError
from sasrec.data.features import ItemFeatures
from sasrec.model.sasrec import SASRec
from sasrec.training.new_items import (
    STRENGTHS,
    check_features,
    choose_strength,
    design_of,
    fill_new_items,
    ridge,
)

# Items 0 to 7; 3 and 6 are in no sequence, of 4 and 7 nothing is known.
BY_ITEM = [[], [0], [1, 2], [0, 1], [], [2], [0], []]
YEARS = [0, 1980, 1990, 1985, 0, 2000, 2000, 0]
SEEN, NEW = [1, 2, 4, 5], [3, 6, 7]
SEQUENCES = [SEEN, [1, 2], [1], []]
COUNTS = np.array([3, 2, 1, 1])


def features_of(by_item, years):
    names = tuple("abc")
    genres = np.array([genre for genres in by_item for genre in genres], np.int32)
    return ItemFeatures(names, np.cumsum([0, *map(len, by_item)]), genres, np.array(years))


def augmented(design, targets, weights, strength):
    """The same regression as plain least squares, with rows that say that weights are 0."""
    penalty = np.eye(design.shape[1])[:-1] * strength**0.5
    x = np.vstack([design * weights[:, None] ** 0.5, penalty])
    y = np.vstack([targets * weights[:, None] ** 0.5, np.zeros((len(penalty), targets.shape[1]))])
    return np.linalg.lstsq(x, y)[0]


@pytest.fixture
def regression():
    generator = np.random.default_rng(3)
    design = np.hstack([generator.random((13, 5)) < 0.4, np.ones((13, 1))])
    targets = design @ generator.normal(size=(6, 7)) + generator.normal(size=(13, 7))
    return design, targets, generator.integers(1, 9, 13) / 3


def test_the_design_by_hand(monkeypatch):
    monkeypatch.setattr("sasrec.training.new_items.KNOTS", 3)
    years = [0, 1980, 1990, 1985, 0, 2000, 1990, 0]  # known: the least, the median, the most
    assert design_of(features_of(BY_ITEM, years)).tolist() == [
        [0, 0, 0, 0, 0, 0, 1],
        [1, 0, 0, 1, 0, 0, 1],
        [0, 1, 1, 0, 1, 0, 1],
        [1, 1, 0, 0.5, 0.5, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
        [0, 0, 1, 0, 0, 1, 1],
        [1, 0, 0, 0, 1, 0, 1],
        [0, 0, 0, 0, 0, 0, 1],
    ]


@pytest.mark.parametrize("years", [[0] * 8, [0] + [1999] * 7])
def test_years_that_say_nothing(years):
    design = design_of(features_of(BY_ITEM, years))
    assert design.shape == (8, 4 + any(years))
    assert (design[1:, 3:] == 1).all()


@pytest.mark.parametrize("strength", [0.01, 1.0, 300.0])
def test_ridge_equals_least_squares(regression, strength):
    expected = augmented(*regression, strength)
    np.testing.assert_allclose(ridge(*regression, strength), expected, rtol=1e-9, atol=1e-12)


def test_the_strength_is_the_one_that_predicts_each_item_best_from_the_others(regression):
    design, targets, weights = regression
    errors = []
    for strength in STRENGTHS:
        error = 0
        for item in range(len(design)):
            others = np.arange(len(design)) != item
            found = augmented(design[others], targets[others], weights[others], strength)
            error += weights[item] * ((design[item] @ found - targets[item]) ** 2).sum()
        errors.append(error)
    best = int(np.argmin(errors))
    assert 0 < best < len(STRENGTHS) - 1
    assert choose_strength(*regression) == STRENGTHS[best]


@pytest.mark.parametrize("tied", [True, False])
def test_new_items_get_what_their_features_say_and_no_other_changes(tied):
    model = SASRec(toy_config(tied_embedding=tied), 7, seed=3)
    before = [table.detach().clone() for table in model.item_tables]
    features = features_of(BY_ITEM, YEARS)
    assert fill_new_items(model, features, toy_sequences(SEQUENCES)) == 3
    design, weights = design_of(features), COUNTS / COUNTS.mean()
    for table, old in zip(model.item_tables, before, strict=True):
        known = old.double().numpy()[SEEN]
        strength = choose_strength(design[SEEN], known, weights)
        expected = design[NEW] @ augmented(design[SEEN], known, weights, strength)
        assert np.allclose(table.detach().numpy()[NEW], expected, atol=1e-6)
        kept = [0, *SEEN]
        assert torch.equal(table[kept], old[kept])


def test_without_a_new_item_nothing_changes():
    model = SASRec(toy_config(), 7, seed=3)
    before = model.item_embedding.detach().clone()
    features = features_of(BY_ITEM, YEARS)
    assert fill_new_items(model, features, toy_sequences([[1, 2, 3, 4, 5, 6, 7]])) == 0
    assert torch.equal(model.item_embedding, before)


def test_a_dataset_without_features_is_refused():
    with pytest.raises(UserError, match="needs genres or years of items, which the dataset toy"):
        check_features(None, "toy")
