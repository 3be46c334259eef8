"""Views of sequences: what each augmentation does, and what must hold for every row."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_views import HISTORIES, LAYOUTS, augmenter_of, batch_in, flat, seeded, view_rows
from toys import NUM_ITEMS, by_row, toy_objective_params, toy_sequences

from sasrec.batching.layout import lay_out_grouped
from sasrec.objectives.views.augmenting import AugmentedTraining
from sasrec.objectives.views.laying_out import as_view, longest
from sasrec.objectives.views.rows import Rows
from sasrec.objectives.views.similar import most_similar
from sasrec.objectives.views.tables import AUGMENTATIONS

INPUTS = [history[:-1] for history in HISTORIES]
every_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def views_by(name: str, count: int = 30, **settings: object):
    """Sources and their views, many of each."""
    augmenter = augmenter_of(name, **settings)
    generator, batch = seeded(), batch_in("packed").inputs
    for _ in range(count):
        yield from zip(INPUTS, view_rows(augmenter.view(batch, generator)), strict=True)


# Each row


def test_crop_keeps_a_contiguous_share():
    starts = {tuple(source): set() for source in INPUTS}
    for source, view in views_by("crop", count=200, crop=0.6):
        start = source.index(view[0])
        assert view == source[start : start + max(1, math.floor(0.6 * len(source)))]
        starts[tuple(source)].add(start)
    assert starts[tuple(INPUTS[0])] == set(range(5))  # 6 of 10
    assert starts[tuple(INPUTS[1])] == {0, 1, 2}  # 3 of 5


def test_mask_hides_a_share_anywhere():
    hidden = set()
    for source, view in views_by("mask", count=60, mask=0.3):
        masked = [place for place, item in enumerate(view) if item == 0]
        assert len(masked) == math.floor(0.3 * len(source))
        assert [item or source[place] for place, item in enumerate(view)] == source
        if len(source) == 10:
            hidden.update(masked)
    assert hidden == set(range(10))


def test_reorder_shuffles_a_window():
    changed = set()
    for source, view in views_by("reorder", count=200, reorder=0.6):
        assert sorted(view) == sorted(source)
        moved = [place for place in range(len(source)) if view[place] != source[place]]
        if moved:
            assert moved[-1] - moved[0] < math.floor(0.6 * len(source))
        changed.add((tuple(source), tuple(view)))
    of_five = {view for source, view in changed if len(source) == 5 and source[0] == 3}
    a, b, c, d, e = INPUTS[1]  # three side by side in any order
    orders = [(*order, d, e) for order in itertools.permutations((a, b, c))]
    orders += [(a, *order, e) for order in itertools.permutations((b, c, d))]
    orders += [(a, b, *order) for order in itertools.permutations((c, d, e))]
    assert of_five == set(orders)


def nearest(count: int = 1) -> dict[int, list[int]]:
    """The most similar items by brute force over sets of users."""
    users = {
        item: {user for user, items in enumerate(HISTORIES) if item in items}
        for item in range(1, NUM_ITEMS + 1)
    }
    found = {0: [0] * count}
    for item, own in users.items():
        cosines = {
            other: len(own & those) / math.sqrt(len(own) * len(those))
            for other, those in users.items()
            if other != item and own & those
        }
        best = sorted(cosines, key=lambda other: (-cosines[other], other))[:count]
        found[item] = best + [item] * (count - len(best))
    return found


def test_substitute_takes_the_nearest():
    similar = nearest()
    for source, view in views_by("substitute", substitute=0.4):
        changed = [place for place, item in enumerate(view) if item != source[place]]
        assert len(changed) == max(1, math.floor(0.4 * len(source)))
        assert all([view[place]] == similar[source[place]] for place in changed)


def test_substitute_draws_from_several_nearest():
    similar, drawn = nearest(3), set()
    for source, view in views_by("substitute", substitute=1.0, similar=3):
        pairs = list(zip(source, view, strict=True))
        assert all(put in similar[item] for item, put in pairs)
        drawn.update(pairs)
    assert {(5, put) for put in similar[5]} <= drawn


def test_insert_puts_the_nearest_before_an_item():
    similar = nearest()
    for source, view in views_by("insert", insert=0.4):
        count = max(1, math.floor(0.4 * len(source)))
        assert len(view) == len(source) + count
        # Each of the source's items in turn, with its nearest before it or not.
        ways = {()}
        for item in source:
            ways = {(*way, *put, item) for way in ways for put in ((), tuple(similar[item]))}
        assert tuple(view) in ways


@pytest.mark.parametrize("layout", ["packed", "grouped"])
@pytest.mark.parametrize(("max_length", "longest"), [(12, 12), (None, 10)])
def test_the_latest_positions_of_a_long_view_are_kept(layout, max_length, longest):
    augmenter = augmenter_of("insert", insert=1.0, max_length=max_length)
    views = view_rows(augmenter.view(batch_in(layout).inputs, seeded()))
    similar = nearest()
    for source, view in zip(INPUTS, views, strict=True):
        doubled = [put for item in source for put in (similar[item][0], item)]
        assert view == doubled[-longest:]


def test_a_batch_of_one_user_is_no_row_of_a_fixed_width():
    one = lay_out_grouped(np.array([3]))
    assert longest(one, 12) == 12
    rows = Rows(torch.arange(1, 6)[None], torch.tensor([5]))
    assert as_view(rows, one).batch.layout.kind == "grouped"


def test_a_fixed_row_is_never_longer():
    augmenter = augmenter_of("insert", insert=1.0)
    view = augmenter.view(batch_in("wide").inputs, seeded())
    assert view.batch.layout.lengths.tolist() == [13, 10, 10, 4, 2]
    assert view.batch.items.shape == batch_in("wide").inputs.items.shape


@given(share=st.integers(1, 10**6), length=st.integers(1, 500))
def test_shares_are_rounded_down_exactly(share, length):
    rows = Rows(torch.zeros(1, 1), torch.tensor([length]))
    assert rows.share(share / 10**6).item() == length * share // 10**6


# Similar items


@settings(max_examples=30, deadline=None)
@given(
    histories=st.lists(st.lists(st.integers(1, 9), max_size=12), min_size=1, max_size=9),
    count=st.integers(1, 4),
    num_items=st.sampled_from([9, 500]),
)
def test_similar_items_are_those_of_brute_force(histories, count, num_items):
    found = most_similar(toy_sequences(histories), num_items, count)
    held = np.zeros((len(histories), num_items + 1))
    for user, items in enumerate(histories):
        held[user, items] = 1
    assert found.shape == (num_items + 1, count)
    for item in range(10):
        both = (held * held[:, [item]]).sum(0)
        cosines = both / np.sqrt(np.maximum(held.sum(0) * held[:, item].sum(), 1))
        cosines[item] = 0
        best = np.argsort(-cosines.round(9), kind="stable")[:count]
        best = [other if cosines[other] else item for other in best]
        assert found[item].tolist() == best


# Every row


@every_layout
@every_augmentation
def test_a_view_never_edits_its_source(name, layout):
    batch = batch_in(layout)
    before = [tensor.clone() for tensor in flat(batch.inputs)]
    targets = batch.targets.clone()
    augmenter = augmenter_of(name)
    view = augmenter.view(batch.inputs, seeded())
    training = AugmentedTraining(augmenter, 1.0).replace(batch, seeded())
    for made in (*flat(view.batch), *flat(training.inputs), training.targets):
        made.zero_() if made.dtype == torch.bool else made.fill_(7)
    for earlier, now in zip(before, flat(batch.inputs), strict=True):
        assert torch.equal(earlier.nan_to_num(), now.nan_to_num())
    assert torch.equal(batch.targets, targets)


@every_layout
@every_augmentation
def test_the_same_seed_gives_the_same_view(name, layout):
    views = [
        augmenter_of(name).view(batch_in(layout).inputs, seeded(seed)) for seed in (1, 1, 2, 3, 4)
    ]
    rows = [view_rows(view) for view in views]
    assert rows[0] == rows[1]
    assert any(rows[0] != others for others in rows[2:])


@pytest.mark.parametrize("name", [*AUGMENTATIONS, "all"])
def test_layouts_agree(name):
    """Where rows are as wide and in the same order, so is what is drawn for them."""
    augmenter = augmenter_of(*(AUGMENTATIONS if name == "all" else [name]), max_length=10)
    views = {
        layout: augmenter.view(batch_in(layout).inputs, seeded())
        for layout in ("packed", "grouped", "fixed")
    }
    for layout, view in views.items():
        assert view_rows(view) == view_rows(views["packed"]), layout
        times = view_rows(view, "timestamp")
        assert times == view_rows(views["packed"], "timestamp"), layout
    padding = ~views["grouped"].batch.layout.real
    assert not views["grouped"].batch.items[padding].any()


@every_layout
@every_augmentation
def test_columns_follow_their_items(name, layout):
    view = augmenter_of(name).view(batch_in(layout).inputs, seeded())
    items, ratings, times = (view_rows(view, what) for what in (None, "rating", "timestamp"))
    kept = 0
    for source, row, rated, timed in zip(INPUTS, items, ratings, times, strict=True):
        for item, rating, time in zip(row, rated, timed, strict=True):
            assert time / 100 in source
            if math.isnan(rating):
                assert name in ("mask", "substitute", "insert")
            else:
                assert item == time / 100 == pytest.approx(rating * 10)
                kept += 1
    assert kept >= 10


def test_each_augmentation_of_the_list_is_drawn_as_often():
    augmenter = augmenter_of("mask", "insert", "crop")
    batch, generator, counts = batch_in("packed").inputs, seeded(), {"=": 0, "<": 0, ">": 0}
    for _ in range(120):
        for source, view in zip(INPUTS, view_rows(augmenter.view(batch, generator)), strict=True):
            if len(source) > 1:  # of one item any crop is all of it
                sign = (len(view) > len(source)) - (len(view) < len(source))
                counts["=><"[sign]] += 1
    assert sum(counts.values()) == 480
    assert min(counts.values()) > 120


# Training on views


@every_layout
@every_augmentation
def test_training_on_views_follows_their_own_next_items(name, layout):
    batch = batch_in(layout)
    made = AugmentedTraining(augmenter_of(name), 1.0).replace(batch, seeded())
    inputs, targets = by_row(made.inputs.items, made.inputs), by_row(made.targets, made.inputs)
    times = by_row(made.target_columns["timestamp"], made.inputs)
    assert sorted(made.users.tolist()) == [1, 2, 3, 4, 5]
    for user, row, following, timed in zip(made.users, inputs, targets, times, strict=True):
        assert row[1:].tolist() == following[:-1].tolist()
        history = HISTORIES[user - 1]
        assert set((timed // 100).tolist()) <= set(history)
        if name == "crop" and user == 1:
            view = [*row.tolist(), following[-1].item()]
            start = history.index(view[0])
            assert view == history[start : start + 6]  # .6 of 11
    assert (made.targets == 0).equal(~made.inputs.layout.real) or name == "mask"


@every_layout
def test_the_chance_decides_how_many_are_replaced(layout):
    batch = batch_in(layout)
    none = AugmentedTraining(augmenter_of("crop"), 0.0).replace(batch, seeded())
    for found, expected in zip(flat(none.inputs), flat(batch.inputs), strict=True):
        assert torch.equal(found.nan_to_num(), expected.nan_to_num())
    assert torch.equal(none.targets, batch.targets)
    half, generator = AugmentedTraining(augmenter_of("crop"), 0.5), seeded()
    shorter = 0
    for _ in range(200):
        made = half.replace(batch, generator)
        shorter += (made.inputs.layout.lengths[made.users == 1] < 10).item()
    assert 70 < shorter < 130


def test_a_view_of_one_item_is_not_learnt_from():
    batch = batch_in("packed")
    made = AugmentedTraining(augmenter_of("crop", crop=0.01), 1.0).replace(batch, seeded())
    assert torch.equal(made.inputs.items, batch.inputs.items)


def test_each_augmentation_has_a_share():
    shares = toy_objective_params().augmentation_shares
    assert set(type(shares).model_fields) == set(AUGMENTATIONS)
