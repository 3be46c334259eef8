"""The model against its loop-written restatement, and what must hold for every row of a table."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from toys import (
    EVERY_ROW,
    INPUT_ROWS,
    LAYOUTS,
    MAX_LENGTH,
    NUM_ITEMS,
    OPTIONS,
    ROWS,
    TABLES,
    by_row,
    toy_batch,
    toy_columns,
    toy_config,
    toy_known,
    toy_model,
    toy_sequences,
)

from sasrec.batching.batches import Batch, SequenceReader
from sasrec.model.config import ModelConfig
from sasrec.model.sasrec import SASRec, count_parameters

EXACT = {"rtol": 0, "atol": 0}
CLOSE = {"rtol": 1e-9, "atol": 1e-11}

every_row = pytest.mark.parametrize("row", EVERY_ROW.values(), ids=EVERY_ROW)
every_option = pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def states_alone(model: SASRec, row: list[int]) -> Tensor:
    return model(toy_batch([row]))


def assert_as_restated(config: ModelConfig) -> None:
    """States and scores are those of the formulas, restated by loops."""
    model = toy_model(config)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    batch = toy_batch(ROWS)
    states = by_row(model(batch), batch)
    scores = model.last_states(batch) @ model.scoring_embedding.T
    for number, items in enumerate(ROWS):
        expected = reference.states(weights, items, config)
        np.testing.assert_allclose(states[number].detach(), expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(
            scores[number].detach(),
            reference.scores(weights, expected[-1], config),
            **CLOSE,
        )


@every_row
@every_option
def test_states_and_scores_are_those_of_the_formulas(row, option):
    assert_as_restated(toy_config(**option | row))


CHOICES = {key: st.sampled_from(list(table)) for key, table in TABLES.items()}
CHOICES["inputs"] = st.sampled_from([["item"], *(row["inputs"] for row in INPUT_ROWS.values())])


@settings(max_examples=40)
@given(st.fixed_dictionaries(CHOICES))
def test_rows_of_different_tables_go_together(rows):
    assert_as_restated(toy_config(num_heads=2, num_blocks=1, **rows))


@pytest.mark.parametrize("position", TABLES["position"])
@pytest.mark.parametrize("feed_forward", ["relu", "none"])
def test_hstu_takes_any_position(position, feed_forward):
    parts = {"attention": "hstu", "position": position, "feed_forward": feed_forward}
    assert_as_restated(toy_config(num_heads=2, **parts))


def test_an_odd_head_keeps_its_last_unit_in_rotary():
    assert_as_restated(toy_config(position="rotary", num_heads=2))  # heads of 3 units


@pytest.mark.parametrize("key", TABLES)
def test_the_rows_of_a_table_differ(key):
    results = [
        toy_model(toy_config(**{key: name}))(toy_batch(ROWS[:1])).detach() for name in TABLES[key]
    ]
    for i, one in enumerate(results):
        assert not any(torch.allclose(one, other, rtol=1e-3) for other in results[:i])


@every_row
@every_layout
def test_any_layout_gives_what_each_row_alone_gives(row, layout):
    model = toy_model(toy_config(num_heads=2, **row))
    batch = toy_batch(ROWS, layout)
    for items, states in zip(ROWS, by_row(model(batch), batch), strict=True):
        torch.testing.assert_close(states, states_alone(model, items), **CLOSE)


@every_row
@every_option
def test_last_states_are_the_latest_of_forward(row, option):
    model = toy_model(toy_config(**option | row))
    batch = toy_batch(ROWS)
    latest = torch.stack([states[-1] for states in by_row(model(batch), batch)])
    torch.testing.assert_close(model.last_states(batch), latest, **CLOSE)


@every_row
def test_a_later_item_changes_nothing_before_it(row):
    model = toy_model(toy_config(num_heads=2, **row))
    items = ROWS[0]
    before = states_alone(model, items)
    for t in range(1, len(items)):
        changed = [*items[:t], items[t] % NUM_ITEMS + 1, *items[t + 1 :]]
        after = states_alone(model, changed)
        torch.testing.assert_close(after[:t], before[:t], **EXACT)
        assert (after[t:] != before[t:]).any(1).all()  # and everything from it on


@every_row
def test_what_other_rows_hold_changes_nothing(row):
    model = toy_model(toy_config(**row))
    batch, others = toy_batch(ROWS), toy_batch([[1] * len(items) for items in ROWS[:2]] + ROWS[2:])
    pairs = zip(by_row(model(batch), batch), by_row(model(others), others), strict=True)
    for one, same in list(pairs)[2:]:
        torch.testing.assert_close(one, same, **EXACT)


@every_row
@pytest.mark.parametrize("layout", ["grouped", "fixed", "wide"])
def test_what_stands_in_padding_changes_nothing_real(row, layout):
    model = toy_model(toy_config(**row))
    batch = toy_batch(ROWS, layout)
    items = torch.where(batch.layout.real, batch.items, 9)
    filled = Batch(items, batch.layout, toy_columns(items, batch.layout))
    torch.testing.assert_close(
        model(filled)[batch.layout.real], model(batch)[batch.layout.real], **EXACT
    )


@every_row
def test_dropout_is_for_training_alone_and_follows_its_seed(row):
    model = toy_model(toy_config(dropout=0.5, **row))
    batch = toy_batch(ROWS, "grouped")
    torch.testing.assert_close(model(batch), model(batch), **EXACT)
    results = []
    for seed in (7, 7, 8):
        model.train().dropout.reseed(seed)
        results.append(model(batch).detach())
    torch.testing.assert_close(results[0], results[1], **EXACT)
    assert not torch.allclose(results[0], results[2])


@every_row
@every_option
def test_parameters_are_counted_without_building_the_model(row, option):
    config = toy_config(**option | row)
    built = sum(weight.numel() for weight in toy_model(config).parameters())
    assert count_parameters(config, NUM_ITEMS, toy_known()) == built


def test_positions_count_from_the_end():
    model = toy_model(toy_config(num_blocks=0))
    batch = toy_batch([[4, 4, 4], [4]], "fixed")
    before = by_row(model(batch), batch)
    with torch.no_grad():
        model.inputs.position.embedding.weight[1, 2] += 1.0  # one before the latest
    changed = [
        (after != states).any(1).tolist()
        for after, states in zip(by_row(model(batch), batch), before, strict=True)
    ]
    assert changed == [[False, True, False], [False]]


@every_row
@pytest.mark.parametrize("layout", ["packed", "grouped", "fixed"])
def test_only_the_most_recent_items_are_seen(row, layout):
    model = toy_model(toy_config(**row))
    long = [(7 * i) % NUM_ITEMS + 1 for i in range(MAX_LENGTH + 6)]
    reader = SequenceReader(toy_sequences([long]), MAX_LENGTH, torch.device("cpu"), layout=layout)
    batch, _ = reader.histories(np.array([1]))
    batch = replace(batch, columns=toy_columns(batch.items, batch.layout))
    alone = model.last_states(toy_batch([long[-MAX_LENGTH:]]))
    torch.testing.assert_close(model.last_states(batch), alone, **CLOSE)


WRONG_ITEMS = {
    "array": (np.array([3, 5]), TypeError, "items: expected a tensor of int64, got ndarray"),
    "list": ([3, 5], TypeError, "items: expected a tensor of int64, got list"),
    "floats": (torch.tensor([3.0, 5.0]), TypeError, r"int64 of shape \[T\], got torch.float32"),
    "int32": (torch.tensor([3, 5], dtype=torch.int32), TypeError, "got torch.int32"),
    "two axes": (torch.tensor([[3, 5]]), TypeError, r"got torch.int64 of \[1, 2\]"),
    "too high": (torch.tensor([3, 24]), ValueError, "ids from 3 to 24, expected 0 .* to 23"),
    "below 0": (torch.tensor([-1, 5]), ValueError, "ids from -1 to 5, expected 0 .* to 23"),
}


@pytest.mark.parametrize(("items", "error", "text"), WRONG_ITEMS.values(), ids=WRONG_ITEMS)
def test_wrong_items_are_said_in_words(items, error, text):
    model = toy_model(toy_config())
    layout = toy_batch([[1, 2]]).layout
    for call in (model, model.last_states):
        with pytest.raises(error, match=text):
            call(Batch(items, layout))


def test_the_largest_item_is_an_item():
    states = toy_model(toy_config())(toy_batch([[NUM_ITEMS]]))
    assert states.isfinite().all()


def test_last_states_are_not_for_training():
    with pytest.raises(AssertionError, match="eval"):
        toy_model(toy_config()).train().last_states(toy_batch(ROWS[:1]))
