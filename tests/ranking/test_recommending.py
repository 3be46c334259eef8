"""Recommendations against a plain ranking of all items."""

from pathlib import Path

import pytest
import torch
from toys import NUM_ITEMS, by_row, toy_batch, toy_config, toy_model

from sasrec.base.errors import UserError
from sasrec.ranking.recommending import Catalogue, recommend


def test_the_best_items_outside_the_history_come_first() -> None:
    model = toy_model(toy_config())
    history = [3, 14, 1, 5, 9, 2, 6, 5, 3, 8, 20, 7, 11]  # longer than max_length = 11
    batch = toy_batch([history[-11:]])
    with torch.no_grad():
        state = by_row(model(batch), batch)[0][-1]
        scores = (model.item_embedding @ state).tolist()
    others = [item for item in range(1, NUM_ITEMS + 1) if item not in history]
    expected = sorted(others, key=lambda item: -scores[item])
    items, values = recommend(model, history, 5)
    assert items == expected[:5]
    assert values == pytest.approx([scores[item] for item in items])
    assert recommend(model, history, 100)[0] == expected


def test_items_of_the_history_come_back_where_repeats_are_wanted() -> None:
    model = toy_model(toy_config())
    every, scores = recommend(model, [3, 14, 3], NUM_ITEMS, filter_seen=False)
    assert sorted(every) == list(range(1, NUM_ITEMS + 1))
    assert scores == sorted(scores, reverse=True)
    others, _ = recommend(model, [3, 14, 3], NUM_ITEMS)
    assert others == [item for item in every if item not in (3, 14)]


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = toy_model(toy_config())
    with torch.no_grad():
        model.item_embedding[7, 2] = torch.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        recommend(model, [3], 3)


def test_an_empty_history_is_refused() -> None:
    model = toy_model(toy_config())
    with pytest.raises(UserError, match="the history is empty"):
        recommend(model, [], 3)


def test_raw_ids(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,raw_id,title\n1,007,Goldfinger\n2,NA,Namibia\n")
    items = Catalogue.read(path)
    assert items.numbers(["NA", "007"]) == [2, 1]
    assert items.describe([2]).to_dict("records") == [{"raw_id": "NA", "title": "Namibia"}]
    with pytest.raises(UserError, match=r"'7' is not among the raw ids of .*items.csv \(007, NA"):
        items.numbers(["7"])
    with pytest.raises(UserError, match="not found"):
        Catalogue.read(tmp_path / "users.csv")
