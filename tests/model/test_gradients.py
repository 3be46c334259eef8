"""Where gradients are written by hand, and that those of the whole model are right.

They are the slope of its loop-written restatement: every weight is moved a little along a random
direction, and what the restatement's loss gains is what the gradients say. With dropout they are
those that autograd finds for plain formulas.
"""

import numpy as np
import pytest
import reference
import torch
from gradient_checks import nodes_behind
from torch import Tensor
from toy_attention import plain
from toys import LAYOUTS, NUM_ITEMS, OPTIONS, ROWS, toy_batch, toy_config, toy_model

from sasrec.batching.batches import Batch
from sasrec.model import embedding, layer_norm
from sasrec.model import sasrec as model
from sasrec.model.gradients import by_hand
from sasrec.model.sasrec import VARIANTS, ModelConfig, SASRec
from sasrec.objectives import losses
from sasrec.objectives.losses import binary_cross_entropy

every_variant = pytest.mark.parametrize("variant", VARIANTS)
every_option = pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
BY_HAND = {
    "FusedBlockBackward",
    "_LayerNormBackward",
    "_EmbedBackward",
    "_BinaryCrossEntropyBackward",
}


def test_gradients_by_hand_are_for_the_plain_cpu():
    x = torch.zeros(3)
    assert by_hand(x)
    assert not by_hand(x.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not by_hand(x)
    compiled = torch.compile(lambda x: x + by_hand(x), backend="eager", fullgraph=True)
    assert compiled(x).tolist() == [0, 0, 0]


def targets_of(items: list[int]) -> list[int]:
    return [item * 5 % NUM_ITEMS + 1 for item in items]


def negatives_of(items: list[int]) -> list[list[int]]:
    return [[item * 7 % NUM_ITEMS + 1, item * 11 % NUM_ITEMS + 1] for item in items]


def loss_of(recommender: SASRec, batch: Batch) -> Tensor:
    """The mean over real positions."""
    items = batch.items.tolist()
    targets = torch.where(batch.layout.real, torch.tensor(targets_of(items)), 0)
    total = binary_cross_entropy(
        recommender(batch),
        embedding=recommender.scoring_embedding,
        targets=targets,
        negatives=torch.tensor(negatives_of(items)),
    )
    return total / batch.layout.real.sum()


def reference_loss(weights: reference.Weights, config: ModelConfig) -> float:
    total = 0.0
    for items in ROWS:
        states = reference.states(
            weights,
            items,
            variant=config.variant,
            num_heads=config.num_heads,
            residual=config.residual,
        )
        total += reference.loss(weights, states, targets_of(items), negatives_of(items))
    return total / sum(map(len, ROWS))


@every_variant
@every_option
def test_gradients_are_the_slope_of_the_formulas(variant, changes):
    config = toy_config(variant=variant, **changes)
    recommender = toy_model(config)
    loss = loss_of(recommender, toy_batch(ROWS, LAYOUTS["end to end"]))
    loss.backward()
    weights = {name: weight.detach().numpy() for name, weight in recommender.named_parameters()}
    assert loss.item() == pytest.approx(reference_loss(weights, config), rel=1e-10)

    generator = np.random.default_rng(13)
    direction = {name: generator.normal(size=weight.shape) for name, weight in weights.items()}
    step = 1e-6
    sides = [
        reference_loss(
            {name: weight + sign * step * direction[name] for name, weight in weights.items()},
            config,
        )
        for sign in (1, -1)
    ]
    slope = sum(
        float((weight.grad.numpy() * direction[name]).sum())
        for name, weight in recommender.named_parameters()
    )
    assert slope == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-7)


def plain_attend(x, context, projections, layout, *, num_heads, noise):
    """The formula as it stands, which takes its dropout from the same noise."""
    parts = projections.query(x), projections.key(context), projections.value(context)
    factors = noise and noise.keep(num_heads * layout.spans.pairs, dtype=x.dtype)
    out = torch.zeros_like(x)
    out[layout.real] = plain(layout, parts, num_heads, factors)
    return out


@pytest.fixture
def plain_formulas():
    """Switches everything to plain formulas: by autograd, one call a step."""
    with pytest.MonkeyPatch.context() as patch:

        def switch() -> None:
            patch.setattr(model, "attend", plain_attend)
            for module in (embedding, layer_norm, losses, model):
                patch.setattr(module, "by_hand", lambda x: False)

        yield switch


@every_variant
@every_option
@pytest.mark.parametrize("layout", LAYOUTS)
def test_with_dropout_gradients_are_those_of_plain_formulas(
    variant, changes, layout, plain_formulas
):
    config = toy_config(variant=variant, dropout=0.3, **changes)
    batch = toy_batch(ROWS, LAYOUTS[layout])
    results = []
    for ours in (True, False):
        if not ours:
            plain_formulas()
        recommender = toy_model(config).train()
        recommender.noise.reseed(7)
        loss = loss_of(recommender, batch)
        used = BY_HAND & nodes_behind(loss)
        loss.backward()
        results.append((loss, dict(recommender.named_parameters())))
        blocks = {"FusedBlockBackward"}
        assert used == ((BY_HAND if config.num_blocks else BY_HAND - blocks) if ours else set())
    (loss, mine), (expected, theirs) = results
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for name, weight in mine.items():
        torch.testing.assert_close(weight.grad, theirs[name].grad, rtol=1e-8, atol=1e-11, msg=name)


@pytest.mark.parametrize("tied", [True, False])
def test_gradients_of_several_batches_add_up(tied):
    # The item embedding gets its gradient from both ends of the model.
    config = toy_config(tied_embedding=tied)
    batches = [toy_batch(rows, LAYOUTS["a row each"]) for rows in (ROWS, ROWS[::-1])]
    alone = [toy_model(config) for _ in batches]
    together = toy_model(config)
    for recommender, batch in zip(alone, batches, strict=True):
        loss_of(recommender, batch).backward()
        loss_of(together, batch).backward()
    for whole, *parts in zip(*(m.parameters() for m in (together, *alone)), strict=True):
        torch.testing.assert_close(whole.grad, parts[0].grad + parts[1].grad)
