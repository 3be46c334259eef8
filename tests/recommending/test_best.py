"""Lists of many users against a plain ranking of all items."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import NUM_ITEMS, by_row, toy_batch, toy_config, toy_model, toy_sequences

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch, SequenceReader
from sasrec.model.tables import INPUTS
from sasrec.ranking.scoring import ModelScores
from sasrec.recommending import best as module
from sasrec.recommending.best import Choice, best_items
from sasrec.recommending.histories import typed_history

# The third is longer than max_length = 11; the fifth user has none.
HISTORIES = [[5, 2], [7, 7, 1, 9], [3, 14, 1, 5, 9, 2, 6, 5, 3, 8, 20, 7, 11], [4], []]
POPULARITY = np.array([0, 1, 5, 5, 2] + [0] * (NUM_ITEMS - 4))
EVERY = np.arange(NUM_ITEMS + 1) > 0


def lists_of(model, sequences, users, choice, columns=()):
    """What is listed for each of `users`: items, scores, and whether it is the model's."""
    reader = SequenceReader(
        sequences, 11, torch.device("cpu"), layout="grouped", columns=tuple(columns)
    )
    chunks = list(
        best_items(ModelScores(model, reader), np.array(users), choice, lambda: POPULARITY)
    )
    assert np.concatenate([chunk.users for chunk in chunks]).tolist() == users
    return [
        (items[items > 0].tolist(), scores[items > 0].tolist(), bool(by_model))
        for chunk in chunks
        for _, items, scores, by_model in zip(*chunk, strict=True)
    ]


def plain_scores(model, history):
    batch = toy_batch([history[-11:]])
    with torch.no_grad():
        return (model.item_embedding @ by_row(model(batch), batch)[0][-1]).tolist()


@pytest.mark.parametrize("filter_seen", [True, False])
@pytest.mark.parametrize("left_out", [(), (7, 11, 20)])
@pytest.mark.parametrize("k", [5, 100])
def test_each_list_is_a_plain_ranking(monkeypatch, filter_seen, left_out, k) -> None:
    monkeypatch.setattr(module, "MAX_USERS", 2)
    model, users = toy_model(toy_config()), [3, 1, 4, 3, 2]  # one of them again
    allowed = EVERY.copy()
    allowed[list(left_out)] = False
    found = lists_of(model, toy_sequences(HISTORIES), users, Choice(k, allowed, filter_seen))
    for user, (items, values, by_model) in zip(users, found, strict=True):
        history = HISTORIES[user - 1]
        scores = plain_scores(model, history)
        others = [
            item
            for item in range(1, NUM_ITEMS + 1)
            if item not in left_out and not (filter_seen and item in history)
        ]
        expected = sorted(others, key=lambda item: -scores[item])[:k]
        assert items == expected
        assert values == pytest.approx([scores[item] for item in expected], rel=1e-5)
        assert by_model


def test_what_is_popular_for_who_has_no_history() -> None:
    model, sequences = toy_model(toy_config()), toy_sequences([*HISTORIES, [4]])
    nobody, one, empty = lists_of(model, sequences, [0, 6, 5], Choice(4, EVERY, True))
    assert nobody == empty == ([2, 3, 4, 1], [5, 5, 2, 1], False)
    assert one[2]
    allowed = EVERY.copy()
    allowed[2] = False
    (empty,) = lists_of(model, sequences, [5], Choice(2, allowed, True))
    assert empty == ([3, 4], [5, 2], False)


def test_nothing_is_left() -> None:
    model, allowed = toy_model(toy_config()), np.arange(NUM_ITEMS + 1) == 4
    found = lists_of(model, toy_sequences(HISTORIES), [4, 1], Choice(3, allowed, True))
    assert [items for items, _, _ in found] == [[], [4]]
    nothing = Choice(3, np.zeros(NUM_ITEMS + 1, bool), True)
    assert lists_of(model, toy_sequences(HISTORIES), [4], nothing)[0][0] == []


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = toy_model(toy_config())
    with torch.no_grad():
        model.item_embedding[7, 2] = torch.nan
    with pytest.raises(UserError, match="NaN or infinite"):
        lists_of(model, toy_sequences(HISTORIES), [1], Choice(3, EVERY, True))


@pytest.mark.parametrize("name", ["rating", "time_gap"])
def test_what_is_known_of_a_history_counts(name) -> None:
    model = toy_model(toy_config(inputs=["item", name]))
    plain = toy_sequences([[3], [5, 14, 1, 9, 2, 6, 5, 3, 8, 20, 7, 11, 4]])
    count = len(plain.items)
    known = {
        "rating": np.arange(count, dtype=np.float32) % 5,
        "timestamp": np.arange(count) ** 3,
    }
    columns, choice = INPUTS[name].needs, Choice(5, EVERY, True)
    ((items, scores, _),) = lists_of(model, replace(plain, columns=known), [2], choice, columns)
    where = toy_batch([plain.of(2)[-11:].tolist()]).layout
    latest = {key: torch.from_numpy(known[key][-11:]) for key in known}
    batch = Batch(torch.from_numpy(plain.of(2)[-11:]).long(), where, latest)
    state = model.last_states(batch)
    expected = (model.item_embedding[items] @ state[0]).tolist()
    assert scores == pytest.approx(expected, rel=1e-5)
    unknown = typed_history(plain.of(2), columns)
    assert lists_of(model, unknown, [1], choice, columns)[0][1] != pytest.approx(scores)
