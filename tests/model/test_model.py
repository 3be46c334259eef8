"""The model against its loop-written restatement, and what must hold for every variant."""

import numpy as np
import pytest
import reference
import torch
from torch import Tensor
from toys import (
    LAYOUTS,
    MAX_LENGTH,
    NUM_ITEMS,
    OPTIONS,
    ROWS,
    by_row,
    toy_batch,
    toy_config,
    toy_model,
    toy_sequences,
)

from sasrec.batching.batches import Batch, SequenceReader
from sasrec.model.sasrec import VARIANTS, SASRec

EXACT = {"rtol": 0, "atol": 0}
CLOSE = {"rtol": 1e-9, "atol": 1e-11}

every_variant = pytest.mark.parametrize("variant", VARIANTS)


def states_alone(model: SASRec, row: list[int]) -> Tensor:
    return model(toy_batch([row]))


@every_variant
@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_states_and_scores_are_those_of_the_formulas(variant, changes):
    config = toy_config(variant=variant, **changes)
    model = toy_model(config)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    batch = toy_batch(ROWS, LAYOUTS["end to end"])

    states = by_row(model(batch), batch)
    scores = model.last_states(batch) @ model.scoring_embedding.T

    for row, items in enumerate(ROWS):
        expected = reference.states(
            weights, items, variant=variant, num_heads=config.num_heads, residual=config.residual
        )
        np.testing.assert_allclose(states[row].detach(), expected, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(
            scores[row].detach(), reference.scores(weights, expected[-1]), rtol=1e-9, atol=1e-11
        )


def test_the_variants_differ():
    results = [
        toy_model(toy_config(variant=variant))(toy_batch(ROWS[:1])).detach() for variant in VARIANTS
    ]
    for i, one in enumerate(results):
        assert not any(torch.allclose(one, other, rtol=1e-3) for other in results[:i])


@every_variant
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_gives_what_each_row_alone_gives(variant, layout):
    model = toy_model(toy_config(variant=variant, num_heads=2))
    batch = toy_batch(ROWS, LAYOUTS[layout])
    for row, states in zip(ROWS, by_row(model(batch), batch), strict=True):
        torch.testing.assert_close(states, states_alone(model, row), **CLOSE)


@every_variant
@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_last_states_are_the_latest_of_forward(variant, changes):
    model = toy_model(toy_config(variant=variant, **changes))
    batch = toy_batch(ROWS, LAYOUTS["end to end"])
    latest = torch.stack([states[-1] for states in by_row(model(batch), batch)])
    torch.testing.assert_close(model.last_states(batch), latest, **CLOSE)


@every_variant
def test_a_later_item_changes_nothing_before_it(variant):
    model = toy_model(toy_config(variant=variant, num_heads=2))
    row = ROWS[0]
    before = states_alone(model, row)
    for t in range(1, len(row)):
        changed = [*row[:t], row[t] % NUM_ITEMS + 1, *row[t + 1 :]]
        after = states_alone(model, changed)
        torch.testing.assert_close(after[:t], before[:t], **EXACT)
        assert (after[t:] != before[t:]).any(1).all()  # and everything from it on


@every_variant
def test_what_other_rows_hold_changes_nothing(variant):
    model = toy_model(toy_config(variant=variant))
    batch = toy_batch(ROWS, LAYOUTS["end to end"])
    others = toy_batch([[1] * len(row) for row in ROWS[:2]] + ROWS[2:], LAYOUTS["end to end"])
    pairs = zip(by_row(model(batch), batch), by_row(model(others), others), strict=True)
    for one, same in list(pairs)[2:]:
        torch.testing.assert_close(one, same, **EXACT)


@every_variant
def test_what_stands_in_padding_changes_nothing_real(variant):
    model = toy_model(toy_config(variant=variant))
    batch = toy_batch(ROWS, LAYOUTS["wide"])
    filled = Batch(torch.where(batch.layout.real, batch.items, 9), batch.layout)
    torch.testing.assert_close(
        model(filled)[batch.layout.real], model(batch)[batch.layout.real], **EXACT
    )


def test_positions_count_from_the_end():
    model = toy_model(toy_config(num_blocks=0))
    batch = toy_batch([[4, 4, 4], [4]], 3)
    before = by_row(model(batch), batch)
    with torch.no_grad():
        model.position_embedding.weight[1, 2] += 1.0  # one before the latest
    changed = [
        (after != states).any(1).tolist()
        for after, states in zip(by_row(model(batch), batch), before, strict=True)
    ]
    assert changed == [[False, True, False], [False]]


@every_variant
@pytest.mark.parametrize("dense", [False, True])
def test_only_the_most_recent_items_are_seen(variant, dense):
    model = toy_model(toy_config(variant=variant))
    long = [(7 * i) % NUM_ITEMS + 1 for i in range(MAX_LENGTH + 6)]
    reader = SequenceReader(toy_sequences([long]), MAX_LENGTH, torch.device("cpu"), dense=dense)
    batch, _ = reader.histories(np.array([1]))
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
