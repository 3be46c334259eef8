"""Recommendations against a plain ranking of all items."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import NUM_ITEMS, by_row, toy_batch, toy_config, toy_model, toy_sequences

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch
from sasrec.model.tables import INPUTS
from sasrec.ranking.recommending import History, recommend


def continued(model, items, k, **options):
    """What is recommended after items of which no more is known."""
    return recommend(model, History.of_items(items, ()), k, **options)


def test_the_best_items_outside_the_history_come_first() -> None:
    model = toy_model(toy_config())
    history = [3, 14, 1, 5, 9, 2, 6, 5, 3, 8, 20, 7, 11]  # longer than max_length = 11
    batch = toy_batch([history[-11:]])
    with torch.no_grad():
        state = by_row(model(batch), batch)[0][-1]
        scores = (model.item_embedding @ state).tolist()
    others = [item for item in range(1, NUM_ITEMS + 1) if item not in history]
    expected = sorted(others, key=lambda item: -scores[item])
    items, values = continued(model, history, 5)
    assert items == expected[:5]
    assert values == pytest.approx([scores[item] for item in items])
    assert continued(model, history, 100)[0] == expected


def test_items_of_the_history_come_back_where_repeats_are_wanted() -> None:
    model = toy_model(toy_config())
    every, scores = continued(model, [3, 14, 3], NUM_ITEMS, filter_seen=False)
    assert sorted(every) == list(range(1, NUM_ITEMS + 1))
    assert scores == sorted(scores, reverse=True)
    others, _ = continued(model, [3, 14, 3], NUM_ITEMS)
    assert others == [item for item in every if item not in (3, 14)]


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = toy_model(toy_config())
    with torch.no_grad():
        model.item_embedding[7, 2] = torch.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        continued(model, [3], 3)


def test_an_empty_history_is_refused() -> None:
    model = toy_model(toy_config())
    with pytest.raises(UserError, match="the history is empty"):
        continued(model, [], 3)


@pytest.mark.parametrize("name", ["rating", "time_gap"])
def test_what_is_known_of_a_history_counts(name) -> None:
    model = toy_model(toy_config(inputs=["item", name]))
    rated = toy_sequences([[3], [5, 14, 1, 9, 2, 6, 5, 3, 8, 20, 7, 11, 4]])
    count = len(rated.items)
    known = {
        "rating": np.arange(count, dtype=np.float32) % 5,
        "timestamp": np.arange(count) ** 3,
    }
    columns = INPUTS[name].needs
    history = History.of_user(2, replace(rated, columns=known), columns)
    np.testing.assert_array_equal(history.columns[columns[0]], known[columns[0]][1:])
    items, scores = recommend(model, history, 5)
    where = toy_batch([history.items[-11:]]).layout
    latest = {key: torch.from_numpy(known[key][-11:]) for key in known}
    state = model.last_states(Batch(torch.tensor(history.items[-11:]), where, latest))
    expected = (model.item_embedding[items] @ state[0]).tolist()
    assert scores == pytest.approx(expected)
    unknown = History.of_items(history.items, columns)
    assert recommend(model, unknown, 5)[1] != pytest.approx(scores)
