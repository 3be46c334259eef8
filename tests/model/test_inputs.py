"""What inputs beside the item read, worked out by hand; test_model.py holds their formulas."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import (
    EVERY_ROW,
    GENRES,
    LAYOUTS,
    LEVELS,
    NUM_ITEMS,
    ROWS,
    by_row,
    genres_of,
    toy_batch,
    toy_config,
    toy_known,
    toy_model,
    toy_sequences,
)

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch
from sasrec.data.features import ItemFeatures
from sasrec.model.genres import GatedGenres, ItemGenres
from sasrec.model.known import Known, known_of, rating_levels
from sasrec.model.needs import check_known, columns_in, model_needs
from sasrec.model.rating import RatingInput
from sasrec.model.time_gap import NOT_KNOWN, TimeGapInput

EXACT = {"rtol": 0, "atol": 0}
NAN = math.nan
CONFIG = toy_config()


def features_of(genres: list[list[int]]) -> ItemFeatures:
    """Of items 0, 1, ..., with these numbers of genres."""
    offsets = np.cumsum([0, *map(len, genres)])
    numbers = np.array([number for row in genres for number in row], np.int32)
    return ItemFeatures(GENRES, offsets, numbers, np.zeros(len(genres), np.int32))


def test_each_of_a_few_ratings_is_a_level():
    ratings = np.array([4, NAN, 1, 5, 4, 2.5], np.float32)
    assert rating_levels(ratings) == (1.0, 2.5, 4.0, 5.0)
    assert len(rating_levels(np.arange(20, dtype=np.float32))) == 20
    assert rating_levels(np.array([NAN], np.float32)) == ()


def test_many_ratings_are_cut_into_twenty_levels_of_like_count():
    ratings = np.random.default_rng(3).permutation(2000).astype(np.float32)
    assert rating_levels(ratings) == (0.0, *(float(100 * k - 1) for k in range(1, 20)))
    mostly = np.concatenate([np.zeros(1000), np.arange(100)]).astype(np.float32)
    assert rating_levels(mostly)[0] == 0.0
    assert len(rating_levels(mostly)) < 20  # as most shares are of the same rating


def test_a_rating_has_the_highest_level_that_it_reaches():
    part = RatingInput(CONFIG, NUM_ITEMS, Known((1.0, 2.0, 3.5)))
    ratings = torch.tensor([1.0, 1.9, 2.0, 3.4, 3.5, 9.0, 0.2, -7.0, NAN])
    assert part.levels(ratings).tolist() == [1, 1, 2, 2, 3, 3, 1, 1, 0]
    assert part.double().levels(ratings).tolist() == [1, 1, 2, 2, 3, 3, 1, 1, 0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gaps_are_between_interactions_of_one_sequence(layout):
    times = [[3, 3, 4, 6, 9, 13, 2**62], [100, 107, 115, NOT_KNOWN, 200], [5, 4], [8]]
    # First; none, 1, 2, 3, 4 and nearly 2^62 units; 7 and 8; not known; a step back counts as none.
    expected = [[1, 2, 3, 4, 4, 5, 64], [1, 5, 6, 0, 0], [1, 2], [1]]
    batch = toy_batch([[1] * len(row) for row in times], layout)
    column = torch.full_like(batch.items, -5)
    for row, last in zip(times, batch.layout.last_slots.tolist(), strict=True):
        column[last + 1 - len(row) : last + 1] = torch.tensor(row)
    part = TimeGapInput(CONFIG, NUM_ITEMS, Known())
    numbers = part.numbers(column, batch.layout)
    assert [row.tolist() for row in by_row(numbers, batch)] == expected
    assert numbers.max() <= part.embedding.num_embeddings


@pytest.mark.parametrize("column", ["rating", "timestamp"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_later_rating_or_time_changes_nothing_before_it(column, layout):
    model = toy_model(toy_config(inputs=["item", "rating", "time_gap"], num_heads=2))
    batch = toy_batch(ROWS, layout)
    before = model(batch)
    slots = torch.arange(len(batch.items))[batch.layout.real].tolist()
    for slot in slots:
        values = batch.columns[column].clone()
        if column == "rating":
            values[slot] = 1.0 if values[slot] >= 3.5 else 4.0
        else:
            values[slot] = 10**9
        after = model(replace(batch, columns=batch.columns | {column: values}))
        moved = (after != before).any(1) & batch.layout.real
        same = batch.layout.sequences == batch.layout.sequences[slot]
        later = batch.layout.positions <= batch.layout.positions[slot]
        assert not (moved & ~(same & later)).any()
        last = batch.layout.last_slots[batch.layout.sequences[slot]]
        alone = batch.layout.lengths[batch.layout.sequences[slot]] == 1
        assert moved[last] or (column == "timestamp" and alone)


@pytest.mark.parametrize("name", ["rating", "time_gap"])
def test_what_nobody_knows_adds_nothing(name):
    batch = toy_batch(ROWS)
    unknown = {
        "rating": torch.full((len(batch.items),), NAN),
        "timestamp": torch.full_like(batch.items, NOT_KNOWN),
    }
    part = toy_model(toy_config(inputs=["item", name])).inputs.parts[name]
    added = part(replace(batch, columns=unknown), torch.zeros(len(batch.items), 6))
    first = batch.layout.positions == batch.layout.lengths[batch.layout.sequences] - 1
    kept = first if name == "time_gap" else torch.zeros_like(first)
    assert (added.any(1) == kept).all()


@pytest.mark.parametrize(("name", "column"), [("rating", "rating"), ("time_gap", "timestamp")])
def test_a_batch_without_the_column_is_said_in_words(name, column):
    batch = toy_batch(ROWS)
    with pytest.raises(ValueError, match=f"each interaction's {column}, which the batch lacks"):
        toy_model(toy_config(inputs=["item", name]))(Batch(batch.items, batch.layout))


def test_genres_of_an_item_are_averaged():
    part = ItemGenres(CONFIG, NUM_ITEMS, toy_known())
    with torch.no_grad():
        part.embedding.weight[:] = torch.arange(5.0)[:, None]
    items = torch.tensor([0, 4, 1, 2, 7])
    # Of no genre, none; [1]; [2, 4]; [7, 9, 11] modulo 5: [2, 4, 1].
    assert part.of(items)[:, 0].tolist() == pytest.approx([0, 0, 1, 3, 7 / 3])


@pytest.mark.parametrize(("bias", "share"), [(50.0, 1.0), (-50.0, 0.0), (0.0, 0.5)])
def test_a_gate_gives_the_item_or_its_genres_or_a_mixture(bias, share):
    part, batch = GatedGenres(CONFIG, NUM_ITEMS, toy_known()), toy_batch(ROWS)
    with torch.no_grad():
        part.gate.weight.zero_()
        part.gate.bias.fill_(bias)
    item = torch.randn(len(batch.items), 6, generator=torch.Generator().manual_seed(1))
    mixed = share * item + (1 - share) * part.of(batch.items)
    torch.testing.assert_close(item + part(batch, item), mixed)


def test_decoupled_genres_make_no_values():
    # A first position attends to itself alone, whatever the weights: its genres change nothing.
    model, batch = toy_model(toy_config(attention="decoupled")), toy_batch(ROWS)
    before = by_row(model(batch), batch)
    model.attributes.table[1:] = model.attributes.table[1:].flip(0)
    for row, old in zip(by_row(model(batch), batch), before, strict=True):
        torch.testing.assert_close(row[0], old[0], **EXACT)
        assert len(row) == 1 or (row[-1] != old[-1]).any()


def test_what_is_known_is_that_of_the_data():
    genres = [[], *(genres_of(item) for item in range(1, NUM_ITEMS + 1))]
    sequences = replace(
        toy_sequences([[1, 2, 3, 4]]), columns={"rating": np.array((*LEVELS, NAN), np.float32)}
    )
    known = known_of(sequences, features_of(genres))
    assert (known.rating_levels, known.genres) == (LEVELS, GENRES)
    np.testing.assert_array_equal(known.item_genres, toy_known().item_genres)
    nothing = known_of(toy_sequences([[1]]), None)
    assert (nothing.rating_levels, nothing.genres, nothing.item_genres) == ((), (), None)


def test_items_of_another_catalogue_have_some_of_the_genres():
    few = toy_known().of_items(2)
    np.testing.assert_array_equal(few.item_genres, toy_known().item_genres[:3])
    many = toy_known(3).of_items(5).item_genres
    np.testing.assert_array_equal(many[4:], many[1:3])
    assert not many[0].any()


NEEDS = {
    "item": ({}, {}),
    "rating": ({"inputs": ["item", "rating"]}, {"rating": "model.inputs with rating"}),
    "times": ({"inputs": ["time_gap", "item"]}, {"timestamp": "model.inputs with time_gap"}),
    "gated": ({"inputs": ["item", "genres_gated"]}, {"genres": "model.inputs with genres_gated"}),
    "decoupled": ({"attention": "decoupled"}, {"genres": "model.attention = 'decoupled'"}),
}


@pytest.mark.parametrize(("changes", "needs"), NEEDS.values(), ids=NEEDS)
def test_what_a_model_needs(changes, needs):
    assert model_needs(toy_config(**changes)) == needs


def test_columns_are_those_that_readers_are_asked_for():
    everything = model_needs(toy_config(**EVERY_ROW["inputs: all"]))
    assert columns_in(everything) == ("rating", "timestamp")
    assert columns_in({}) == ()


def test_what_is_needed_and_not_known_is_refused_in_words():
    needs = model_needs(toy_config(attention="decoupled", inputs=["item", "rating"]))
    check_known(needs, toy_known(), "toy")
    check_known({}, Known(), "toy")
    for known, sentence in (
        (Known(LEVELS), "model.attention = 'decoupled' needs genres of items"),
        (replace(toy_known(), rating_levels=()), "model.inputs with rating needs ratings"),
    ):
        with pytest.raises(UserError) as caught:
            check_known(needs, known, "toy")
        assert str(caught.value) == f"{sentence}, of which the training data of toy has none"
