"""Negatives by weight: which are drawn, how often, and what their odds are, by brute force."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toys import toy_objective_params, toy_sequences

from sasrec.batching.batches import SequenceReader, TrainingBatch
from sasrec.objectives.objective import build_objective
from sasrec.objectives.popularity import WeightedNegatives
from sasrec.objectives.tables import NEGATIVES
from sasrec.objectives.weighted import KnownItems, WeightedUnseen

CPU = torch.device("cpu")
HISTORIES = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 5], [5, 3, 3]]
NUM_ITEMS, DRAWS = 9, 40_000


def toy_training_batch(users: list[int], layout: str = "packed") -> TrainingBatch:
    reader = SequenceReader(toy_sequences(HISTORIES), 11, CPU, layout=layout)
    return reader.training_batch(np.array(users))


def chances(name: str, batch: TrainingBatch, slot: int) -> np.ndarray:
    """[N + 1]: how likely each item is drawn for a slot, in plain Python."""
    user = int(batch.users[batch.inputs.layout.sequences[slot]])
    if name == "mixed":
        return (chances("uniform", batch, slot) + chances("in_batch", batch, slot)) / 2
    counted = {
        "uniform": range(1, NUM_ITEMS + 1),
        "popularity": [item for history in HISTORIES for item in history],
        "in_batch": batch.targets.tolist(),
    }[name]
    weights = np.zeros(NUM_ITEMS + 1)
    for item in counted:
        weights[item] += item > 0 and item not in HISTORIES[user - 1]
    return weights / weights.sum()


@given(
    histories=st.lists(st.sets(st.integers(1, 12), max_size=9), min_size=1, max_size=5),
    weights=st.lists(st.integers(0, 4), min_size=12, max_size=12),
)
def test_every_unit_of_weight_is_one_place(histories, weights):
    """The items at ranks 0, 1, ... of a row, against a list written out."""
    sequences, weights = toy_sequences([sorted(items) for items in histories]), [0, *weights]
    users = np.arange(1, len(histories) + 1)
    known = KnownItems.of(sequences, users, 12, CPU)
    unseen = WeightedUnseen.of(known, torch.tensor(weights))
    for row, history in enumerate(histories):
        expected = [
            item for item in range(1, 13) if item not in history for _ in range(weights[item])
        ]
        assert unseen.left[row] == len(expected)
        ranks = torch.arange(len(expected))
        assert unseen.nth(torch.full_like(ranks, row), ranks).tolist() == expected


@pytest.mark.parametrize("layout", ["packed", "grouped", "fixed"])
@pytest.mark.parametrize("name", NEGATIVES)
def test_items_are_drawn_as_often_as_they_should(name, layout):
    batch = toy_training_batch([1, 2, 3], layout)
    negatives = NEGATIVES[name](toy_sequences(HISTORIES), NUM_ITEMS, CPU).of(batch)
    drawn = negatives.draw(DRAWS, torch.Generator().manual_seed(1))
    odds = negatives.log_odds(drawn).exp()
    for slot in batch.inputs.layout.real.nonzero().flatten().tolist():
        expected = chances(name, batch, slot)
        found = np.bincount(drawn[slot], minlength=NUM_ITEMS + 1) / DRAWS
        np.testing.assert_allclose(found, expected, atol=0.015)
        uniform = chances("uniform", batch, slot)
        there = drawn[slot, :50].numpy()
        # The little weight that every item has is under a thousandth.
        np.testing.assert_allclose(
            odds[slot, :50], expected[there] / uniform[there], rtol=3e-3, atol=2e-3
        )


@pytest.mark.parametrize("name", NEGATIVES)
def test_who_knows_all_that_others_take_still_gets_negatives(name):
    """Nothing in the batch, or in the data, is new to the user but what nobody took."""
    sequences = toy_sequences([[1, 2, 3, 4], [3, 2]])
    reader = SequenceReader(sequences, 11, CPU, layout="packed")
    batch = reader.training_batch(np.array([1]))
    negatives = NEGATIVES[name](sequences, 6, CPU).of(batch)
    drawn = negatives.draw(100, torch.Generator().manual_seed(1))
    assert set(drawn.flatten().tolist()) == {5, 6}
    assert negatives.log_odds(drawn).isfinite().all()


@pytest.mark.parametrize("name", NEGATIVES)
def test_what_users_do_not_know_is_found_once_a_batch(name, monkeypatch):
    found, of = [], WeightedUnseen.of

    def counted(known, weights):
        found.append(known)
        return of(known, weights)

    monkeypatch.setattr(WeightedUnseen, "of", counted)
    params = toy_objective_params(loss="sampled_softmax", negatives=name)
    term = build_objective(params, toy_sequences(HISTORIES), NUM_ITEMS, CPU).terms[0]
    drawn, odds = term.prepare(toy_training_batch([1, 3]), torch.Generator().manual_seed(1))
    assert drawn.shape == odds.shape == (6, 2)
    assert len(found) == (name != "uniform")


def test_weights_are_for_a_derived_class_to_say():
    with pytest.raises(TypeError, match=r"abstract .*weights"):
        WeightedNegatives(toy_sequences(HISTORIES), NUM_ITEMS, CPU)
