"""Items that training never saw get embeddings from their genres and years."""

import numpy as np
import pytest
import torch
from toys import GENRES, toy_config, toy_sequences

from sasrec.data.features import ItemFeatures
from sasrec.model.sasrec import SASRec
from sasrec.training.new_items import content_of, fill_new_items

# Items 0 to 7; 3 and 6 are in no sequence, nothing is known of 4 and 7.
BY_ITEM = [[], [0], [1, 2], [0, 1], [], [2], [0], []]
YEARS = [0, 1989, 1991, 1999, 0, 1991, 2007, 0]
SEEN = [1, 2, 4, 5]
FEATURES = ItemFeatures(
    GENRES[:3],
    offsets=np.cumsum([0, *map(len, BY_ITEM)]),
    genres=np.array([genre for genres in BY_ITEM for genre in genres], np.int32),
    years=np.array(YEARS, np.int32),
)


def test_content_is_shares_of_genres_and_decades():
    # Action, Comedy, Drama; the eighties, nineties, and from 2000 on.
    assert content_of(FEATURES).tolist() == [
        [0, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0],
        [0, 0.5, 0.5, 0, 1, 0],
        [0.5, 0.5, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 1, 0],
        [1, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("tied", [True, False])
def test_a_new_item_has_what_ridge_regression_says(tied):
    model = SASRec(toy_config(tied_embedding=tied), 7, seed=3)
    before = [table.detach().clone() for table in model.item_tables]
    assert fill_new_items(model, FEATURES, toy_sequences([SEEN, SEEN[:2]])) == 2
    content = content_of(FEATURES)
    for table, old in zip(model.item_tables, before, strict=True):
        # The same by descent: squared errors of the seen, and of the weights but the mean.
        weights = torch.zeros(6, 6, dtype=torch.float64, requires_grad=True)
        mean = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([weights, mean], max_iter=500, tolerance_grad=1e-12)
        x, y = torch.from_numpy(content[SEEN]), old[SEEN].double()

        def loss(x=x, y=y, weights=weights, mean=mean, optimizer=optimizer):
            optimizer.zero_grad()
            total = (x @ weights + mean - y).square().sum() + weights.square().sum()
            total.backward()
            return total

        optimizer.step(loss)
        expected = (torch.from_numpy(content[[3, 6]]) @ weights + mean).detach().float()
        torch.testing.assert_close(table[[3, 6]].detach(), expected, rtol=1e-4, atol=1e-5)
        kept = [0, 1, 2, 4, 5, 7]
        assert torch.equal(table[kept], old[kept])
