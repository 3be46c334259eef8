"""A block's formula and its compiled loops are held together before training."""

import pytest
import torch
from toys import OPTIONS, toy_config, toy_model

from sasrec import fused_block
from sasrec import model as module
from sasrec.block_check import check_blocks
from sasrec.errors import UserError
from sasrec.kernels import run_parts
from sasrec.model import VARIANTS, SASRec, Variant

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
    assert parts == [2, 2]


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
    with pytest.raises(UserError, match=r"block 2: .* differ by nan of"):
        check_blocks(model)
