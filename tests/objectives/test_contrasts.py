"""Contrastive terms: InfoNCE by loops, what each contrast pairs, and what the terms promise."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from gradient_checks import assert_same_with_gradients, randoms
from pydantic import ValidationError
from toy_training import trainer_of
from toy_views import HISTORIES, LAYOUTS, batch_in, seeded, sequences_with_columns, view_rows
from toys import (
    NUM_ITEMS,
    by_row,
    toy_batch,
    toy_config,
    toy_model,
    toy_objective_params,
    toy_sequences,
)

from sasrec.objectives import losses as module
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.contrasts.representations import REPRESENTATIONS
from sasrec.objectives.contrasts.same_target import Partners
from sasrec.objectives.contrasts.tables import CONTRASTS
from sasrec.objectives.info_nce import info_nce
from sasrec.objectives.objective import build_objective
from sasrec.objectives.params import ObjectiveParams
from sasrec.objectives.views.similar import SimilarItems
from sasrec.objectives.views.tables import AUGMENTATIONS
from sasrec.training import trainer as training

CPU = torch.device("cpu")
ON_VIEWS = [name for name, row in CONTRASTS.items() if not row.needs_latest]
every_contrast = pytest.mark.parametrize("name", CONTRASTS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def objective_of(**changes):
    params = toy_objective_params(**changes)
    return build_objective(params, sequences_with_columns(), NUM_ITEMS, CPU, max_length=13)


# InfoNCE


def by_loops(one, other, temperature, alike=None, cosine=False):
    """The mean over the 2 B representations, straight from the formula."""
    vectors, count = [*one, *other], len(one)
    if cosine:
        vectors = [vector / math.sqrt(sum(vector**2)) for vector in vectors]
    total = 0.0
    for i, vector in enumerate(vectors):
        partner, powers = (i + count) % (2 * count), 0.0
        for j, another in enumerate(vectors):
            same = alike is not None and alike[i % count] == alike[j % count]
            if j == partner or (j != i and not same):
                powers += math.exp(sum(vector * another) / temperature)
        score = sum(vector * vectors[partner]) / temperature
        total -= math.log(math.exp(score) / powers)
    return total / (2 * count)


@pytest.mark.parametrize("alike", [None, [3, 1, 3, 2, 3]])
@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_info_nce_is_that_of_loops(temperature, alike):
    one, other = randoms((5, 3), (5, 3))
    numbers = None if alike is None else torch.tensor(alike)
    found = info_nce(one, other, temperature, numbers)
    expected = by_loops(one.detach().numpy(), other.detach().numpy(), temperature, alike)
    assert found.item() == pytest.approx(expected, rel=1e-12)
    assert torch.autograd.gradcheck(lambda *z: info_nce(*z, temperature, numbers), (one, other))


def test_info_nce_by_hand():
    # Two sequences with the views 1, 1 and 0, 0: a view of the first finds its partner by
    # e / (e + 1 + 1), one of the second by 1 / 3.
    one = torch.tensor([[1.0], [0.0]])
    expected = (math.log((math.e + 2) / math.e) + math.log(3)) / 2
    assert info_nce(one, one, 1.0).item() == pytest.approx(expected)


def test_one_sequence_alone_has_no_negatives():
    (one, other) = randoms((1, 3), (1, 3))
    assert info_nce(one, other, 1.0).item() == 0


@pytest.mark.parametrize("at_once", [1, 25, 10**6])
def test_blocks_change_nothing(at_once, monkeypatch):
    leaves, alike = randoms((7, 3), (7, 3)), torch.tensor([1, 2, 3, 1, 1, 4, 2])
    whole = info_nce(*leaves, 0.5, alike)
    monkeypatch.setattr(module, "SCORED_AT_ONCE", at_once)
    assert_same_with_gradients(info_nce(*leaves, 0.5, alike), whole, leaves)


# Representations


@every_layout
@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_representations_are_those_of_each_sequence_alone(name, layout):
    batch = batch_in(layout).inputs
    states = torch.randn(len(batch.items), 3, generator=seeded())
    states[~batch.layout.real] = torch.nan
    found = REPRESENTATIONS[name](states, batch.layout)
    rows = by_row(states, batch)
    expected = [row[-1] if name == "last" else row.sum(0) / len(row) for row in rows]
    torch.testing.assert_close(found, torch.stack(expected))


# Each contrast


def represent(model, items, representation):
    """One sequence alone, by the model."""
    states = model(toy_batch([items]))
    return states[-1] if representation == "last" else states.mean(0)


@every_layout
@pytest.mark.parametrize("representation", REPRESENTATIONS)
@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("name", ["views", "same_target"])
def test_a_term_is_info_nce_of_what_it_pairs(name, similarity, representation, layout):
    settings = {"representation": representation, "similarity": similarity, "temperature": 0.7}
    objective = objective_of(contrasts=[name], contrastive_weight=0.3, **settings)
    model, batch = toy_model(toy_config(max_length=13)), batch_in(layout)
    term, prepared = objective.terms[1], objective.prepare(batch, seeded())
    drawn = prepared.drawn[1]
    pairs = map(view_rows, drawn)
    if name == "same_target":
        pairs = [[row.tolist() for row in by_row(batch.inputs.items, batch.inputs)], *pairs]
    one, other = (
        np.array([represent(model, row, representation).detach().numpy() for row in rows])
        for rows in pairs
    )
    alike = None if name == "views" else [items[-1] for items in HISTORIES]
    expected = by_loops(one, other, 0.7, alike, similarity == "cosine")
    assert (term.name, term.weight) == (name, 0.3)
    found = term(model, model, batch, model(batch.inputs), drawn)
    positions = int((batch.targets > 0).sum())
    assert found.item() == pytest.approx(expected * positions, rel=1e-6)
    # and its weight is that of a mean over sequences beside a mean over positions
    alone = objective.terms[0](model, model, batch, model(batch.inputs), prepared.drawn[0])
    total = objective(model, model, batch, prepared) / positions
    assert total.item() == pytest.approx(alone.item() / positions + 0.3 * expected, rel=1e-6)


def test_dropout_contrasts_two_passes():
    model, batch = toy_model(toy_config(dropout=0.4)).train(), batch_in("packed")
    (term,) = objective_of(contrasts=["dropout"]).terms[1:]
    states = model(batch.inputs)
    passes = []

    def encode(inputs):
        assert inputs is batch.inputs
        passes.append(model(inputs))
        return passes[-1]

    found = term(model, encode, batch, states, ())
    (again,) = passes
    last = batch.inputs.layout.last_slots
    assert not torch.equal(again, states)
    expected = info_nce(states[last], again[last], 1.0) * len(batch.targets)
    torch.testing.assert_close(found, expected)


def test_partners_end_in_the_same_item():
    histories = [[1, 5], [2, 5], [3, 6], [5], [], [4, 2, 5], [7, 6]]
    partners = Partners(toy_sequences(histories), 9, CPU, None)
    batch = replace(batch_in("packed"), users=torch.tensor([1, 2, 3, 6, 7]))
    generator, found = seeded(), {1: set(), 2: set(), 3: set(), 6: set(), 7: set()}
    for _ in range(40):
        drawn = partners.draw(batch, generator)
        for user, partner in zip(batch.users.tolist(), drawn.tolist(), strict=True):
            found[user].add(partner)
    assert found == {1: {2, 6}, 2: {1, 6}, 3: {7}, 6: {1, 2}, 7: {3}}  # user 4 has one item


@every_layout
def test_without_a_partner_a_sequence_is_its_own(layout):
    """Of HISTORIES the second and third end in 6, the first and others in items of their own."""
    objective, batch = objective_of(contrasts=["same_target"]), batch_in(layout)
    (view,) = objective.prepare(batch, seeded()).drawn[1]
    rows, times = view_rows(view), view_rows(view, "timestamp")
    limit = LAYOUTS[layout] if layout in ("fixed", "wide") else 13
    expected = [HISTORIES[partner][:-1][-limit:] for partner in (0, 2, 1, 3, 4)]
    assert rows == expected
    assert times == [[100 * item for item in row] for row in expected]


# Several


def test_several_add_up_as_if_each_were_alone():
    """DuoRec's two, of the same partners; neither needs anything that the other draws."""
    names, settings = ["dropout", "same_target"], {"contrastive_weight": 0.3, "temperature": 0.7}
    # In eval mode nothing is dropped, so each pass is as another.
    model, batch = toy_model(toy_config(max_length=13, dropout=0.2)), batch_in("packed")

    def parts(names):
        objective = objective_of(contrasts=names, **settings)
        prepared = objective.prepare(batch, seeded())
        states = model(batch.inputs)
        losses = [
            term.weight * term(model, model, batch, states, drawn)
            for term, drawn in zip(objective.terms, prepared.drawn, strict=True)
        ]
        return objective, losses, objective(model, model, batch, prepared)

    objective, losses, total = parts(names)
    assert [term.name for term in objective.terms] == ["next_item", *names]
    torch.testing.assert_close(total, sum(losses))
    for name, found in zip(names, losses[1:], strict=True):
        _, (_, alone), _ = parts([name])
        assert found.item() == alone.item() > 0


def test_each_pair_of_passes_takes_one_more():
    """The states that the next item is learnt from serve both terms."""
    objective = objective_of(contrasts=["dropout", "same_target"])
    model, batch = toy_model(toy_config(max_length=13, dropout=0.2)).train(), batch_in("packed")
    prepared, encoded = objective.prepare(batch, seeded()), []

    def encode(inputs):
        encoded.append(inputs)
        return model(inputs)

    objective(model, encode, batch, prepared)
    (view,) = prepared.drawn[2]
    assert list(map(id, encoded)) == [id(batch.inputs), id(batch.inputs), id(view.batch)]


def test_views_of_the_loss_and_of_the_contrast_share_what_is_similar(monkeypatch):
    made = []
    monkeypatch.setattr(SimilarItems, "find", lambda self: made.append(self))
    objective_of(contrasts=["views"], augment_training=0.5, augmentations=["insert"])
    assert len(made) == 1


# Every row


@every_contrast
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "cross_entropy"])
def test_every_weight_gets_a_gradient_of_the_contrast(name, loss):
    objective = objective_of(contrasts=[name], loss=loss)
    model, batch = toy_model(toy_config(dropout=0.3)).train(), batch_in("packed")
    drawn = objective.prepare(batch, seeded()).drawn[1]
    states = model(batch.inputs)
    objective.terms[1](model, model, batch, states, drawn).backward()
    for key, weight in model.named_parameters():
        if not key.endswith("key.bias"):  # which softmax forgets
            assert weight.grad.abs().max() > 1e-9, key


@pytest.mark.parametrize(
    ("name", "augment"),
    [*((name, 0.0) for name in CONTRASTS), *((name, 0.7) for name in ON_VIEWS)],
)
def test_a_step_names_the_rows_that_it_reads(name, augment, monkeypatch):
    """Else rows that wait (deferred_adam.py) refuse."""
    monkeypatch.setattr(training, "DEFERRED_FROM", 0)
    trainer = trainer_of(
        batch_size=2,
        num_items=300,
        config={"dropout": 0.2},
        objective={
            "contrasts": [name],
            "augment_training": augment,
            "augmentations": list(AUGMENTATIONS),
        },
    )
    assert trainer.optimizer.asks
    losses = [trainer.run_epoch(epoch).loss for epoch in (1, 2, 3)]
    assert all(map(math.isfinite, losses))
    assert not trainer.model.item_embedding[0].any(), "padding stays zero"


@pytest.mark.parametrize(
    ("names", "augment"),
    [
        *(([], 0.0), (["views"], 0.0), (["same_target"], 0.0), (["views", "same_target"], 0.0)),
        *(([], 1.0), (["views"], 1.0)),
    ],
)
def test_loops_and_plain_pytorch_learn_the_same(names, augment, monkeypatch):
    """Also with hidden items, of which loops know nothing; those of dropout draw otherwise."""
    monkeypatch.setattr("toy_training.layout_for", lambda *_, **__: "packed")
    shares = toy_objective_params().augmentation_shares.model_dump() | {"mask": 0.6}
    changes = {"contrasts": names, "augment_training": augment, "augmentations": ["mask"]}
    results = []
    for loops in (True, False):
        objective = changes | {"augmentation_shares": shares}
        trainer = trainer_of(batch_size=8, objective=objective, loops=loops)
        losses = [trainer.run_epoch(epoch).loss for epoch in (1, 2, 3)]
        results.append((losses, trainer.model.item_embedding.detach()))
    (losses, weights), (plain_losses, plain_weights) = results
    assert losses == pytest.approx(plain_losses, rel=1e-5)
    torch.testing.assert_close(weights, plain_weights, rtol=0, atol=1e-4)
    assert not weights[0].any(), "padding stays zero"


@every_contrast
def test_the_same_seed_gives_the_same_bytes(name):
    objective = {"contrasts": [name], "augment_training": 0.5 if name in ON_VIEWS else 0.0}
    trainers = [trainer_of(objective=objective, config={"dropout": 0.2}) for _ in range(2)]
    for trainer in trainers:
        trainer.run_epoch(1)
    one, other = (dict(trainer.model.named_parameters()) for trainer in trainers)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_the_loss_of_training_on_views_is_a_mean_over_their_positions():
    objective = objective_of(augment_training=1.0, augmentations=["crop"], loss="cross_entropy")
    model, batch = toy_model(toy_config(max_length=13)), batch_in("packed")
    prepared = objective.prepare(batch, seeded())
    made = prepared.batch
    assert len(made.targets) < len(batch.targets)
    of_views = objective.loss(model(made.inputs), model.scoring_embedding, made.targets)
    found = objective(model, model, batch, prepared)
    expected = of_views / len(made.targets) * len(batch.targets)
    torch.testing.assert_close(found, expected)


# Params


def test_mistakes_are_named():
    with pytest.raises(ValidationError, match="views among contrasts need a name in augmentations"):
        toy_objective_params(contrasts=["views"], augmentations=[])
    with pytest.raises(ValidationError, match=r"augment_training = 0\.5 needs a name"):
        toy_objective_params(augment_training=0.5, augmentations=[])
    with pytest.raises(ValidationError, match=r"same_target .* of augment_training = 0\.5 need"):
        toy_objective_params(contrasts=["views", "same_target"], augment_training=0.5)
    with pytest.raises(ValidationError, match="expected distinct names"):
        toy_objective_params(augmentations=["crop", "crop"])
    assert toy_objective_params(contrasts=["dropout"], augmentations=[]).augmentations == []
    with pytest.raises(ValidationError, match="expected distinct names"):
        toy_objective_params(contrasts=["dropout", "dropout"])
    for key in ("contrastive_weight", "temperature"):
        with pytest.raises(ValidationError, match="greater than 0"):
            toy_objective_params(**{key: 0.0})


def test_without_contrast_or_views_nothing_is_added():
    objective = objective_of()
    assert (len(objective.terms), objective.augmented) == (1, None)
    with pytest.raises(TypeError, match=r"abstract .*pair"):
        Contrast(toy_objective_params())
    assert isinstance(toy_objective_params(), ObjectiveParams)
