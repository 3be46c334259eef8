"""The objective as a sum of terms: what it prepares, reads, and adds up."""

import numpy as np
import pytest
import torch
from toys import toy_config, toy_objective_params, toy_sequences

from sasrec.batching.batches import SequenceReader
from sasrec.model.sasrec import SASRec
from sasrec.objectives.objective import Objective, Prepared, build_objective
from sasrec.objectives.tables import LOSSES, NEGATIVES
from sasrec.objectives.term import Term

CPU = torch.device("cpu")
HISTORIES = [[3, 1, 4, 1, 5], [9, 2, 6], [5, 3]]
NUM_ITEMS = 13


@pytest.fixture
def model():
    return SASRec(toy_config(), NUM_ITEMS, seed=1)


@pytest.fixture
def batch():
    reader = SequenceReader(toy_sequences(HISTORIES), 11, CPU, layout="packed")
    return reader.training_batch(np.array([1, 2, 3]))


def objective_of(**changes: object) -> Objective:
    params = toy_objective_params(**changes)
    return build_objective(params, toy_sequences(HISTORIES), NUM_ITEMS, CPU)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_that_get_a_gradient_are_named(loss, model, batch):
    objective = objective_of(loss=loss)
    prepared = objective.prepare(batch, torch.Generator().manual_seed(1))
    objective(model, model, batch, prepared).backward()
    touched = set(model.item_embedding.grad.any(1).nonzero().flatten().tolist())
    if objective.reads is None:  # all items
        assert touched == set(range(1, NUM_ITEMS + 1))
    else:
        read = objective.items_read(batch, prepared)
        assert touched <= set(read.tolist())
        assert len(read) == len(batch.targets) * (1 + objective.reads)


@pytest.mark.parametrize("name", NEGATIVES)
@pytest.mark.parametrize("at_once", [0, 1 << 22])
def test_negatives_are_items_that_a_user_does_not_know(name, at_once, batch, monkeypatch):
    monkeypatch.setattr("sasrec.objectives.uniform.SAMPLED_AT_ONCE", at_once)
    negatives = NEGATIVES[name](toy_sequences(HISTORIES), NUM_ITEMS, CPU)
    drawn = negatives.of(batch).draw(50, torch.Generator().manual_seed(3))
    assert drawn.shape == (len(batch.targets), 50)
    for row, history in enumerate(HISTORIES):
        items = drawn[batch.inputs.layout.sequences == row].unique().tolist()
        assert set(items) <= set(range(1, NUM_ITEMS + 1)) - set(history)
        assert len(items) >= 2
    again = negatives.of(batch).draw(50, torch.Generator().manual_seed(3))
    assert torch.equal(again, drawn)


class Quiet(Term):
    """The square of all states, learnt from another view: the items in reverse."""

    name = "quiet"
    weight = 0.25

    def forward(self, model, encode, batch, states, prepared):
        return (states - encode(batch.inputs)).square().sum() + states.square().sum()


def test_terms_are_weighed_and_added(model, batch):
    plain = objective_of()
    objective = Objective(plain.terms[0], Quiet())
    prepared = objective.prepare(batch, torch.Generator().manual_seed(1))
    assert prepared.drawn[1] == ()
    alone = plain(model, model, batch, Prepared(batch, prepared.drawn[:1]))
    both = objective(model, model, batch, prepared)
    expected = alone + 0.25 * model(batch.inputs).square().sum()
    torch.testing.assert_close(both, expected)
    assert objective.reads == plain.reads


def test_a_term_has_a_loss():
    with pytest.raises(TypeError, match=r"abstract .*forward"):
        Term()
