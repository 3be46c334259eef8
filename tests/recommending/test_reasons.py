"""Why an item is recommended, against the scores of each history without one item."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import by_row, toy_batch, toy_config, toy_model, toy_sequences

from sasrec.batching.batches import SequenceReader
from sasrec.model.tables import SCORES
from sasrec.recommending import reasons as module
from sasrec.recommending.histories import without_each
from sasrec.recommending.reasons import find_reasons

# Longer than max_length = 11: what is taken out of it lets older items in. 5 occurs three times.
LONG = [5, 22, 3, 14, 1, 5, 9, 2, 6, 5, 3, 8, 20, 7, 11]
HISTORIES = [[17], LONG, [4, 4], [6, 2]]


def reasons_of(model, user, items):
    reader = SequenceReader(
        toy_sequences(HISTORIES), 11, torch.device("cpu"), layout="grouped", columns=()
    )
    return find_reasons(model, reader, user, np.array(items))


def score(model, history, item):
    batch = toy_batch([history[-11:]])
    with torch.no_grad():
        return float(model.scoring_embedding[item] @ by_row(model(batch), batch)[0][-1])


@pytest.mark.parametrize("user", [2, 4])
@pytest.mark.parametrize("pairs", [1 << 24, 300])
@pytest.mark.parametrize("kind", SCORES)
def test_a_reason_is_the_score_lost_without_an_item(monkeypatch, user, pairs, kind) -> None:
    monkeypatch.setattr(module, "MAX_PAIRS", pairs)  # all at once, and two sequences at a time
    model = toy_model(toy_config(score=kind))
    history, items = HISTORIES[user - 1], [13, 21, 19]
    for item, found in zip(items, reasons_of(model, user, items), strict=True):
        lost = {
            taken: score(model, history, item)
            - score(model, [other for other in history if other != taken], item)
            for taken in set(history[-11:])
        }
        expected = sorted(((-value, taken) for taken, value in lost.items() if value > 0))[:3]
        assert [taken for taken, _ in found] == [taken for _, taken in expected]
        assert [value for _, value in found] == pytest.approx([-value for value, _ in expected])
    assert any(reasons_of(model, user, items))


@pytest.mark.parametrize(("user", "item"), [(1, 17), (3, 4)])
def test_the_only_item_of_a_history_is_the_reason(user, item) -> None:
    assert reasons_of(toy_model(toy_config()), user, [13, 21]) == [[(item, None)]] * 2


def test_without_an_item_older_ones_move_in_with_what_is_known_of_them() -> None:
    sequences = toy_sequences([[9], [5, 3, 5, 2, 8]])
    times = np.arange(6, dtype=np.int64) * 10
    sequences = replace(sequences, columns={"timestamp": times})
    found = without_each(sequences, 2, np.array([5, 8]), 3)
    assert [found.of(user).tolist() for user in (1, 2, 3)] == [[3, 2, 8], [3, 5, 2], [5, 2, 8]]
    assert found.columns["timestamp"].tolist() == [20, 40, 50, 20, 30, 40, 30, 40, 50]
