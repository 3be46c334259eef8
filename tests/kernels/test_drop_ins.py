"""Drop-ins against the plain PyTorch that they stand for: results and gradients."""

import copy

import numpy as np
import pytest
import torch
from gradient_checks import (
    assert_adds_to_gradients,
    assert_same_in_inference,
    assert_same_with_gradients,
    nodes_behind,
    randoms,
)
from toy_attention import plain
from toy_losses import loss_of, toy_loss
from toys import (
    LAYOUTS,
    NUM_ITEMS,
    OPTIONS,
    ROWS,
    toy_batch,
    toy_config,
    toy_model,
    toy_objective_params,
)

from sasrec.batching.batches import Batch
from sasrec.kernels.drop_ins import PLAIN, attach, is_attached, plainly
from sasrec.kernels.spans import spans_of
from sasrec.kernels.tables import DROP_INS, LOOPS
from sasrec.model.attention import SoftmaxAttention
from sasrec.model.norm import LayerNorm
from sasrec.model.tables import VARIANTS
from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.gbce import GeneralisedBinaryCrossEntropy

by_loops = [name for name, variant in VARIANTS.items() if not variant.gated]
every_variant = pytest.mark.parametrize("variant", by_loops)
every_option = pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
BY_HAND = {"NormBackward", "EmbedBackward", "SumOfLossesBackward"}
SUPPORTED = {"position": ("learned", "none")}


def fast(model):
    """The model with all drop-ins that support it."""
    attach(DROP_INS, model)
    return model


# The whole model


def plain_attended(self, x, context, layout):
    """Attention sequence by sequence, which takes its dropout as the loops do."""
    factors = None
    if self.dropout.active:
        units = self.dropout.units(self.num_heads * spans_of(layout).pairs)
        factors = torch.from_numpy((units >= self.dropout.threshold) * self.dropout.scale)
    out = torch.zeros_like(x)
    parts = self.query(x), self.key(context), self.value(context)
    out[layout.real] = plain(layout, parts, self.num_heads, factors)
    return out


@every_variant
@every_option
@every_layout
@pytest.mark.parametrize("position", ["learned", "none"])
def test_a_model_with_dropout_and_its_gradients(variant, option, layout, position, monkeypatch):
    config = toy_config(**option | {"variant": variant, "dropout": 0.3, "position": position})
    batch = toy_batch(ROWS, layout)
    results = []
    for by_loops in (True, False):
        model, loss = toy_model(config).train(), toy_loss()
        if by_loops:
            hows = attach(DROP_INS, model, loss)
            assert set(hows.values()) <= {LOOPS, "a shortcut"}
        else:
            monkeypatch.setattr(SoftmaxAttention, "attended", plain_attended)
        model.dropout.reseed(7)
        result = loss_of(model, batch, loss)
        used = nodes_behind(result)
        assert used >= BY_HAND if by_loops else not BY_HAND & used
        assert ("FusedBlocksBackward" in used) == (by_loops and config.num_blocks > 0)
        result.backward()
        results.append((result, dict(model.named_parameters())))
    (loss, mine), (expected, theirs) = results
    assert loss.item() == pytest.approx(expected.item(), rel=1e-12)
    for name, weight in mine.items():
        torch.testing.assert_close(weight.grad, theirs[name].grad, rtol=1e-8, atol=1e-11, msg=name)


@every_variant
@every_option
@every_layout
def test_last_states(variant, option, layout):
    config = toy_config(**option | {"variant": variant})
    batch = toy_batch(ROWS, layout)
    model = toy_model(config)
    expected = model.last_states(batch)
    torch.testing.assert_close(fast(model).last_states(batch), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "changes",
    [
        {"feed_forward": "swiglu"},
        {"feed_forward": "none"},
        {"attention": "gated"},
        {"attention": "hstu"},
        {"position": "rotary"},
        {"variant": "ligr"},
    ],
)
def test_what_is_not_supported_runs_plainly(changes):
    model = toy_model(toy_config(**changes))
    expected = model(toy_batch(ROWS))
    hows = attach(DROP_INS, model)
    assert hows["blocks"] == PLAIN
    assert hows["norms"] == LOOPS
    assert not any(is_attached(block) for block in model.blocks)
    torch.testing.assert_close(model(toy_batch(ROWS)), expected, rtol=1e-9, atol=1e-11)


def test_a_derived_class_is_not_what_the_drop_in_stands_for():
    class Louder(LayerNorm):
        def forward(self, x):
            return 2 * super().forward(x)

    norm = Louder(6)
    assert attach(DROP_INS, norm) == {}
    assert norm(torch.ones(2, 6)).shape == (2, 6)


# Taking them off, and copies


def test_plainly():
    model = fast(toy_model(toy_config()))
    batch = toy_batch(ROWS)
    with plainly(model):
        assert "FusedBlocksBackward" not in nodes_behind(model(batch))
    assert "FusedBlocksBackward" in nodes_behind(model(batch))


def test_a_copy_computes_by_its_own_weights():
    model = fast(toy_model(toy_config()))
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight += 0.1
    expected = toy_model(toy_config())
    expected.load_state_dict(other.state_dict())
    torch.testing.assert_close(other(toy_batch(ROWS)), expected(toy_batch(ROWS)))


def test_state_and_configuration_are_the_same_with_drop_ins():
    plain_model, model = toy_model(toy_config()), fast(toy_model(toy_config()))
    assert list(plain_model.state_dict()) == list(model.state_dict())


# Layer norm


def norm_of(x, weight, bias, *, by_loops):
    norm = LayerNorm(6)
    if by_loops:
        attach(DROP_INS, norm)
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias
    return norm(x)


def norm_leaves(slots=11):
    return randoms((slots, 6), (6,), (6,))


def fast_norm(*leaves):
    return norm_of(*leaves, by_loops=True)


def plain_norm(*leaves):
    return norm_of(*leaves, by_loops=False)


@pytest.mark.parametrize("slots", [11, 3001])
def test_norm(slots, two_threads):
    leaves = norm_leaves(slots)
    assert_same_with_gradients(fast_norm(*leaves), plain_norm(*leaves), leaves)


def test_norm_of_any_order_in_memory():
    x, weight, bias = norm_leaves()
    leaves = [x.detach().t().contiguous().t().requires_grad_(), weight, bias]
    assert_same_with_gradients(fast_norm(*leaves), plain_norm(*leaves), leaves)


def test_equal_entries_are_no_division_by_zero():
    _, weight, bias = norm_leaves()
    x = torch.full((2, 6), 3.0, dtype=torch.float64)
    torch.testing.assert_close(fast_norm(x, weight, bias), bias.expand(2, -1))


def test_norm_adds_to_gradients_and_infers():
    assert_adds_to_gradients(fast_norm, plain_norm, norm_leaves())
    assert_same_in_inference(fast_norm, norm_leaves())


@pytest.mark.parametrize("row", [0, 5])
def test_what_is_not_a_number_shows(row):
    x, weight, bias = norm_leaves()
    with torch.no_grad():
        x[row, 2] = torch.nan
    result = fast_norm(x, weight, bias)
    assert result[row].isnan().all()
    assert result[[other for other in range(11) if other != row]].isfinite().all()


# Inputs


@pytest.mark.parametrize("position", SUPPORTED["position"])
def test_gradients_of_inputs_are_added_where_they_are(position):
    batch = toy_batch(ROWS)
    models = [toy_model(toy_config(position=position)) for _ in range(2)]
    fast(models[0])
    places = []
    for factor in (1.0, 3.0, 0.5):
        for model in models:
            (model.inputs(batch).sin().sum() * factor).backward()
        places.append(models[0].item_embedding.grad.data_ptr())
    assert len(set(places)) == 1
    for mine, theirs in zip(*(model.inputs.parameters() for model in models), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_items_out_of_range_are_said_in_words():
    model, layout = fast(toy_model(toy_config())), toy_batch([[1, 2]]).layout
    with pytest.raises(ValueError, match=r"ids from 1 to 24, expected 0 .* to 23"):
        model(Batch(torch.tensor([1, 24]), layout))
    with pytest.raises(TypeError, match="expected a tensor of int64, got ndarray"):
        model(Batch(np.array([1, 2]), layout))


# The loss


def slots(num_negatives):
    targets = torch.tensor([0, 1, 4, 0, 4, 10, 0, 0, 2, 0, 3])
    return targets, torch.arange(11 * num_negatives).view(11, -1) * 5 % 7 + 1


@pytest.mark.parametrize("num_negatives", [1, 2, 5])
@pytest.mark.parametrize("at_once", [1, 5, 1 << 20])
@pytest.mark.parametrize("kind", [BinaryCrossEntropy, GeneralisedBinaryCrossEntropy])
def test_loss(num_negatives, at_once, kind, monkeypatch):
    monkeypatch.setattr("sasrec.kernels.loss.SCORED_AT_ONCE", at_once)
    leaves = randoms((11, 3), (NUM_ITEMS + 1, 3))
    loss, plain_loss = (kind(toy_objective_params(), NUM_ITEMS) for _ in range(2))
    expected = loss(*leaves, *slots(num_negatives))
    assert attach(DROP_INS, loss) == {"loss": LOOPS}
    found = loss(*leaves, *slots(num_negatives))
    assert "SumOfLossesBackward" in nodes_behind(found)
    assert_same_with_gradients(found, expected, leaves)
    assert_same_in_inference(lambda *given: loss(*given, *slots(num_negatives)), leaves)
    assert_adds_to_gradients(
        lambda *given: loss(*given, *slots(num_negatives)) / 7,
        lambda *given: plain_loss(*given, *slots(num_negatives)) / 7,
        leaves,
    )


def test_padding_counts_nothing_whatever_stands_there():
    loss, (targets, negatives) = toy_loss(), slots(2)
    attach(DROP_INS, loss)
    states, embedding = (leaf.detach() for leaf in randoms((11, 3), (NUM_ITEMS + 1, 3)))
    before = loss(states, embedding, targets, negatives)
    states[targets == 0], negatives[targets == 0] = 1e30, 1
    assert loss(states, embedding, targets, negatives) == before


def test_an_id_beyond_the_embedding():
    loss, (targets, negatives) = toy_loss(), slots(2)
    attach(DROP_INS, loss)
    leaves = randoms((11, 3), (8, 3))
    with pytest.raises((IndexError, RuntimeError), match="out of range"):
        loss(*leaves, targets, negatives)
