"""Drop-ins are compared with what they stand for before a model trains or ranks."""

import pytest
import torch
from toy_losses import toy_loss
from toys import EVERY_ROW, OPTIONS, toy_config, toy_known, toy_model, toy_objective_params

from sasrec.base.errors import UserError
from sasrec.kernels import check, full_softmax, fused_blocks, last, prepare, tables
from sasrec.kernels.drop_ins import is_attached
from sasrec.kernels.prepare import layout_for, training_threads
from sasrec.model import feed_forward, inputs
from sasrec.model.norm import LayerNorm
from sasrec.model.sasrec import SASRec
from sasrec.model.tables import VARIANTS
from sasrec.model.variants import Variant
from sasrec.objectives import binary_cross_entropy
from sasrec.objectives.tables import LOSSES

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def loops_as_they_are_needed(monkeypatch):
    """Toy sizes are compiled in this process (conftest.py keeps them)."""
    monkeypatch.setattr(prepare, "load_loops", lambda *arguments: None)


def compare(config=None, loss=None):
    check.check_drop_ins(tables.DROP_INS, config or toy_config(), loss, CPU, toy_known())


def louder(function):
    return lambda *arguments, **options: 1.01 * function(*arguments, **options)


@pytest.mark.parametrize("row", EVERY_ROW.values(), ids=EVERY_ROW)
@pytest.mark.parametrize("option", OPTIONS.values(), ids=OPTIONS)
def test_they_agree(row, option):
    compare(toy_config(dropout=0.5, **option | row), toy_loss())


@pytest.mark.parametrize("size", [1, 2])
def test_they_agree_where_a_norm_leaves_little_but_rounding(size):
    compare(toy_config(hidden_size=size))


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("query", [0, 1])
@pytest.mark.parametrize("key_value", [0, 1])
@pytest.mark.parametrize("residual", [0, 1])
def test_they_agree_in_any_new_variant(query, key_value, residual, after, monkeypatch):
    monkeypatch.setitem(VARIANTS, "official", Variant(query, key_value, residual, after))
    compare(toy_config(variant="official"))


@pytest.mark.parametrize(
    ("where", "name", "message"),
    [
        (feed_forward.ReluFeedForward, "forward", r"^blocks: Block\.forward in sasrec\.model"),
        (LayerNorm, "forward", r"^blocks: .*block in sasrec\.kernels"),
        (inputs.ItemInput, "forward", r"^inputs: Inputs\.forward .* inputs in sasrec\.kernels"),
        (binary_cross_entropy, "softplus", r"^loss: .*sasrec\.kernels\.loss"),
        (last, "_attend", r"^last states: Block\.last .* last in sasrec\.kernels\.last"),
    ],
)
def test_a_change_of_one_alone_is_named(where, name, message, monkeypatch):
    monkeypatch.setattr(where, name, louder(getattr(where, name)))
    with pytest.raises(UserError, match=message) as caught:
        compare(loss=toy_loss())
    assert "change both alike, or set train.kernels to plain" in str(caught.value)


def test_a_changed_gradient_is_named(monkeypatch):
    forward = feed_forward.ReluFeedForward.forward
    monkeypatch.setattr(
        feed_forward.ReluFeedForward, "forward", lambda self, x: forward(self, x.detach())
    )
    with pytest.raises(UserError, match=r"^blocks: .*differ by .* of the result or a gradient"):
        compare()


def test_a_mask_that_changed_in_the_last_is_named(monkeypatch):
    """Sequences see what follows them in their rows: alone, none would."""
    monkeypatch.setattr(torch.Tensor, "masked_fill_", lambda scores, *_: scores)
    with pytest.raises(UserError, match=r"^last states: "):
        compare()


def test_ranking_that_leaves_a_layer_out_is_named(monkeypatch):
    def last_states(model, batch):
        return model.inputs(batch)[batch.layout.last_slots]

    monkeypatch.setattr(SASRec, "last_states", last_states)
    with pytest.raises(UserError, match=r"^the model: `forward` and `last_states`"):
        compare()


MIXED = [row for row in tables.DROP_INS if row.what == "loss" and row.mixes]


@pytest.mark.parametrize("row", MIXED, ids=[row.how for row in MIXED])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_they_agree_in_mixed_precision(row, smoothing):
    params = toy_objective_params(loss="cross_entropy", label_smoothing=smoothing)
    loss = LOSSES["cross_entropy"](params, 9)
    check.check_drop_ins([row], toy_config(), loss, CPU, mixed=True)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("_add_product", lambda left, right, total: total.copy_(left @ right)),
        ("_product", lambda left, right, out: out.copy_(left @ right).mul_(1.1)),
    ],
)
def test_what_is_wrong_in_mixed_precision_alone_is_named(name, wrong, monkeypatch):
    right = getattr(full_softmax, name)

    def of_mixed(left, *others):
        return (wrong if left.dtype == torch.bfloat16 else right)(left, *others)

    monkeypatch.setattr(full_softmax, name, of_mixed)
    monkeypatch.setattr(full_softmax, "SLOTS", 50)  # several blocks
    params = toy_objective_params(loss="cross_entropy")

    def prepared(**options):
        loss = LOSSES["cross_entropy"](params, 9)
        prepare.prepare(SASRec(toy_config(), 9, seed=1), loss, **options)

    prepared()
    with pytest.raises(UserError, match=r"^loss in mixed precision: CrossEntropy\.forward in "):
        prepared(mixed=True)


@pytest.mark.parametrize("at", [0, 3])
def test_a_result_or_gradient_that_is_no_number_differs(at, monkeypatch):
    with_gradients = check._with_gradients

    def spoilt(case):
        results = with_gradients(case)
        if is_attached(case.module, case.method) and len(results) > at:
            results[at] = results[at] * torch.nan
        return results

    monkeypatch.setattr(check, "_with_gradients", spoilt)
    with pytest.raises(UserError, match=r"^blocks: .* differ by nan of"):
        compare()


def test_weights_that_are_no_numbers_are_named():
    model = toy_model(toy_config())
    with torch.no_grad():
        model.blocks[1].attention.value.weight[0, 0] = torch.nan
    with pytest.raises(UserError, match=r"model's blocks\.1\.attention\.value\.weight holds NaN"):
        prepare.prepare(model)


# What runs is said, and chosen


def said(model, loss=None, **options):
    lines = []
    prepare.prepare(model, loss, report=lines.append, **options)
    return lines[-1]


def test_what_runs_is_said():
    model = SASRec(toy_config(), 9, seed=1)
    assert said(model, toy_loss()) == (
        "blocks, inputs, norms, loss: compiled loops; last states: a shortcut"
    )
    assert layout_for(model) == "packed"
    assert layout_for(model, compiled=True) == "fixed"


def test_what_is_not_supported_is_said():
    model = SASRec(toy_config(feed_forward="swiglu"), 9, seed=1)
    loss = LOSSES["cross_entropy"](toy_objective_params(), 9)
    assert said(model, loss) == (
        "blocks: plain PyTorch; inputs, norms: compiled loops; loss: in one pass, by a loop; "
        "last states: a shortcut"
    )
    assert layout_for(model) == "grouped"


def test_mixed_precision_has_the_loop_of_scores_and_no_other():
    loss = LOSSES["cross_entropy"](toy_objective_params(), 9)
    assert said(SASRec(toy_config(), 9, seed=1), loss, mixed=True) == (
        "blocks, inputs, norms: plain PyTorch; loss: in one pass, by a loop; "
        "last states: a shortcut"
    )


def test_plain_throughout_on_request():
    model, loss = SASRec(toy_config(), 9, seed=1), toy_loss()
    assert said(model, loss, kernels="plain") == (
        "blocks, inputs, norms, loss, last states: plain PyTorch"
    )
    assert not any(is_attached(module) for module in [*model.modules(), loss])


def test_without_loops_shortcuts_remain():
    """As on a GPU, or compiled by torch."""
    model = SASRec(toy_config(), 9, seed=1)
    assert (
        said(model, loops=False) == "blocks, inputs, norms: plain PyTorch; last states: a shortcut"
    )
    assert is_attached(model.blocks[0], "last")
    assert not is_attached(model.blocks[0], "forward")


def test_all_threads_take_part(two_threads, monkeypatch):
    parts, run_parts = [], fused_blocks.run_parts
    monkeypatch.setattr(
        fused_blocks,
        "run_parts",
        lambda *arguments, edges: (
            parts.append(len(edges) - 1) or run_parts(*arguments, edges=edges)
        ),
    )
    compare()
    assert set(parts) == {2}


@pytest.mark.parametrize(("name", "threads"), [("binary_cross_entropy", 1), ("cross_entropy", 2)])
def test_torch_leaves_its_threads_only_where_all_is_loops(name, threads, two_threads):
    model, loss = SASRec(toy_config(), 9, seed=1), LOSSES[name](toy_objective_params(), 9)
    prepare.prepare(model, loss, report=lambda _: None)
    with training_threads(model, loss):
        assert torch.get_num_threads() == threads
    assert torch.get_num_threads() == 2
