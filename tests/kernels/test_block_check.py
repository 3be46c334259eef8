"""A model's formulas and its shortcuts are held together before it trains or ranks."""

import pytest
import torch
from toys import OPTIONS, toy_config, toy_model

from sasrec import (
    block_check,
    embedding,
    fused_block,
    gradients,
    layer_norm,
    losses,
)
from sasrec.base.errors import UserError
from sasrec.kernels.block_check import check_blocks
from sasrec.kernels.parts import run_parts
from sasrec.model import sasrec as module
from sasrec.model.sasrec import VARIANTS, SASRec, Variant

module_feed_forward = module.feed_forward
every_variant = pytest.mark.parametrize("variant", VARIANTS)


@every_variant
@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_they_agree(variant, changes):
    model = toy_model(toy_config(variant=variant, dropout=0.5, **changes)).train()
    check_blocks(model)
    assert model.training


def test_they_agree_in_single_precision_and_with_short_sequences():
    check_blocks(SASRec(toy_config(max_length=2), 9, seed=1))


@pytest.mark.parametrize("size", [1, 2])
def test_they_agree_where_a_norm_leaves_little_but_rounding(size):
    for seed in range(5):
        check_blocks(SASRec(toy_config(hidden_size=size), 9, seed))


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("query", [0, 1])
@pytest.mark.parametrize("key_value", [0, 1])
@pytest.mark.parametrize("residual", [0, 1])
def test_they_agree_in_any_new_variant(query, key_value, residual, after, monkeypatch):
    monkeypatch.setitem(VARIANTS, "official", Variant(query, key_value, residual, after))
    check_blocks(toy_model(toy_config(variant="official")))


def test_a_changed_gradient_is_named(monkeypatch):
    monkeypatch.setattr(
        module, "feed_forward", lambda x, *rest: module_feed_forward(x.detach(), *rest)
    )
    with pytest.raises(UserError, match=r"block 1: "):
        check_blocks(toy_model(toy_config()))


def test_all_threads_take_part(two_threads, monkeypatch):
    parts = []
    monkeypatch.setattr(
        fused_block,
        "run_parts",
        lambda *arguments, edges: (
            parts.append(len(edges) - 1) or run_parts(*arguments, edges=edges)
        ),
    )
    check_blocks(toy_model(toy_config(num_blocks=1)))
    assert set(parts) == {2}


def test_a_changed_formula_is_named(monkeypatch):
    def louder(*arguments, **options):
        return 1.01 * module_feed_forward(*arguments, **options)

    monkeypatch.setattr(module, "feed_forward", louder)
    model = toy_model(toy_config())
    with pytest.raises(UserError, match=r"block 1: .*model\.py.*block_kernels\.py.*gradients\.py"):
        check_blocks(model)
    monkeypatch.setattr(module, "by_hand", lambda x: False)  # as the message says
    check_blocks(model)


def test_weights_that_are_no_numbers_are_named():
    model = toy_model(toy_config())
    with torch.no_grad():
        model.blocks[1].value.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"model's blocks\.1\.value\.weight holds NaN"):
        check_blocks(model)


@pytest.mark.parametrize("at", [0, 3])
def test_a_result_or_gradient_that_is_no_number_differs(at, monkeypatch):
    with_gradients = block_check._with_gradients

    def spoilt(part):
        results = with_gradients(part)
        if gradients.by_hand(results[0]):
            results[at] = results[at] * torch.nan
        return results

    monkeypatch.setattr(block_check, "_with_gradients", spoilt)
    with pytest.raises(UserError, match=r"block 1: .* differ by nan of"):
        check_blocks(toy_model(toy_config()))


# The layers around the blocks


def louder(function):
    return lambda *arguments, **options: 1.01 * function(*arguments, **options)


@pytest.mark.parametrize(
    ("where", "name", "message"),
    [
        (layer_norm.nn.LayerNorm, "forward", r"block 1: .*model\.py and block_kernels\.py"),
        (embedding.functional, "embedding", r"the embedding: .*embedding\.py and row_kernels\.py"),
        (losses.functional, "softplus", r"the loss: .*losses\.py and row_kernels\.py"),
    ],
)
def test_a_changed_formula_beside_a_block_is_named(where, name, message, monkeypatch):
    if name == "embedding":  # which the loss's formula uses too
        monkeypatch.setattr(losses, "functional", torch.nn.functional.__class__("kept"))
        vars(losses.functional).update(vars(torch.nn.functional))
    monkeypatch.setattr(where, name, louder(getattr(where, name)))
    with pytest.raises(UserError, match=message):
        check_blocks(toy_model(toy_config()))


def test_a_changed_norm_after_the_blocks_is_named(monkeypatch):
    monkeypatch.setattr(layer_norm.nn.LayerNorm, "forward", louder(layer_norm.nn.LayerNorm.forward))
    with pytest.raises(UserError, match=r"the norm: .*layer_norm\.py and position_kernels\.py"):
        check_blocks(toy_model(toy_config(num_blocks=0)))


# Ranking


def only_in_the_second(function):
    """`function` of a block, changed a little where the block's queries have a bias of 7."""

    def changed(block, *arguments):
        result = function(block, *arguments)
        return result * (1.01 if block.query.bias[0] == 7 else 1)

    return changed


def marked_model():
    model = toy_model(toy_config())
    with torch.no_grad():
        model.blocks[1].query.bias[0] = 7
    return model


def test_another_result_of_last_is_named_with_its_block(monkeypatch):
    monkeypatch.setattr(module.Block, "last", only_in_the_second(module.Block.last))
    with pytest.raises(UserError, match=r"^block 2: .*model\.py and `last`.*last_attention\.py"):
        check_blocks(marked_model())


@every_variant
def test_attention_that_changed_without_the_last_is_named(variant, monkeypatch):
    """Where blocks go by the formula; else its loops would be named first."""
    monkeypatch.setattr(block_check, "by_hand", lambda x: False)
    monkeypatch.setattr(module, "by_hand", lambda x: False)
    model = toy_model(toy_config(variant=variant))
    check_blocks(model)
    attend = module.attend
    monkeypatch.setattr(module, "attend", lambda x, *rest, **kw: attend(1.1 * x, *rest, **kw))
    with pytest.raises(UserError, match=r"^block 1: .*`last`") as caught:
        check_blocks(model)
    assert "let `last` return self(x, batch)[batch.layout.last_slots]" in str(caught.value)
    monkeypatch.setattr(
        module.Block, "last", lambda self, x, batch: self(x, batch)[batch.layout.last_slots]
    )
    check_blocks(model)


def test_a_mask_that_changed_in_the_last_is_named(monkeypatch):
    """Sequences see what follows them in their rows: alone, none would."""
    where = torch.Tensor.masked_fill_
    monkeypatch.setattr(torch.Tensor, "masked_fill_", lambda scores, *_: scores)
    with pytest.raises(UserError, match=r"^block 1: .*`last`"):
        check_blocks(toy_model(toy_config()))
    monkeypatch.setattr(torch.Tensor, "masked_fill_", where)
    check_blocks(toy_model(toy_config()))


def test_ranking_that_leaves_a_layer_out_is_named(monkeypatch):
    def last_states(model, batch):
        return model._embed(batch)[batch.layout.last_slots]

    monkeypatch.setattr(SASRec, "last_states", last_states)
    with pytest.raises(UserError, match=r"^the model: `forward` in model\.py and `last_states`"):
        check_blocks(toy_model(toy_config()))


def test_a_gpu_s_ranking_is_checked_too(monkeypatch):
    """Without a GPU: what is chosen by the device is chosen as if there were one."""
    monkeypatch.setattr(gradients.torch.compiler, "is_compiling", lambda: True)
    check_blocks(toy_model(toy_config()))
    monkeypatch.setattr(module.Block, "last", louder(module.Block.last))
    with pytest.raises(UserError, match=r"^block 1: .*`last`"):
        check_blocks(toy_model(toy_config()))
