"""Whether a model's shortcuts compute what its formulas say: compiled loops, and ranking's `last`.

A formula is what `plainly` computes, step by step in calls of torch. Where one is changed and its
shortcut is not, training and ranking would follow two models.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch
from sasrec.batching.layout import Layout, lay_out, lay_out_dense
from sasrec.model.embedding import embed
from sasrec.model.gradients import by_hand, plainly
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import binary_cross_entropy

FAR = 1e-3  # of the largest entry; rounding alone is some hundred times less
# By hidden size: a norm of one or two units leaves little but rounding, divided by nearly nothing.
# It came to 0.22 and 0.025 in a hundred models each, and to 6e-5 with three units.
FAR_WITH_FEW = {1: 1.0, 2: 0.2}
LENGTHS = [7, 1, 20, 3]


class Part(NamedTuple):
    """A part of the model that compiled loops compute on the CPU.

    Attributes:
        formula, loops: where they stand.
        compute: the result at real slots.
        leaves: what it has gradients of.
    """

    name: str
    formula: str
    loops: str
    compute: Callable[[], Tensor]
    leaves: list[Tensor]


def check_blocks(model: SASRec) -> None:
    """Compare results and gradients on random input, by all threads and without dropout.

    Blocks and the layers around them are compared one by one; on a GPU only what ranking computes
    in a way of its own.

    Raises:
        UserError: a shortcut and its formula differ: one was changed without the other; or a
            weight is not a number.
    """
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise UserError(
                f"the model's {name} holds NaN or infinite values: its training diverged; lower "
                "train.learning_rate and train again"
            )
    limit = FAR_WITH_FEW.get(model.config.hidden_size, FAR)
    was_training = model.training
    model.eval()
    try:
        for layout in _layouts(model):
            inputs = _Inputs(model, layout)
            if by_hand(inputs.x):
                for part in _parts(model, inputs):
                    _check_loops(part, limit)
            _check_ranking(model, inputs, limit)
    finally:
        model.train(was_training)


def _layouts(model: SASRec) -> Iterator[Layout]:
    """Sequences for all threads: on the CPU end to end, and a row each."""
    lengths = np.minimum(LENGTHS * 2 * torch.get_num_threads(), model.config.max_length)
    device = model.item_embedding.weight.device
    if device.type == "cpu":
        yield lay_out(lengths)
    yield lay_out_dense(torch.from_numpy(lengths).to(device), int(lengths.max()))


class _Inputs:
    """Random items [T] and states [T, D] of a layout, of the model's type and on its device."""

    def __init__(self, model: SASRec, layout: Layout) -> None:
        weight = model.item_embedding.weight
        draw = torch.Generator().manual_seed(1)
        slots, size = len(layout.real), weight.shape[1]
        items = torch.randint(1, model.num_items + 1, (slots,), generator=draw).to(weight.device)
        self.batch = Batch(torch.where(layout.real, items, 0), layout)
        self.x = torch.randn(slots, size, generator=draw).to(weight).requires_grad_()
        # As many rows as there are slots, by place: a gradient of all items may be large.
        self.rows = weight.detach()[items].requires_grad_()


def _parts(model: SASRec, inputs: _Inputs) -> Iterator[Part]:
    x, rows, batch, real = inputs.x, inputs.rows, inputs.batch, inputs.batch.layout.real
    for number, block in enumerate(model.blocks, 1):
        yield Part(
            f"block {number}",
            "model.py",
            "block_kernels.py",
            lambda block=block: block(x, batch)[real],
            [x, *block.parameters()],
        )
    norm = model.last_norm
    leaves = [x, *norm.parameters()]
    yield Part("the norm", "layer_norm.py", "position_kernels.py", lambda: norm(x)[real], leaves)

    places = torch.arange(len(rows)) // 2  # some rows twice
    positions = model.position_embedding
    if positions is not None:
        positions = positions.weight.detach()[: len(rows)].requires_grad_()
    leaves = [rows] if positions is None else [rows, positions]
    embedding = {"item_embedding": rows, "position_embedding": positions, "noise": None}
    where = batch.layout.positions
    yield Part(
        "the embedding",
        "embedding.py",
        "row_kernels.py",
        lambda: embed(places, where, **embedding)[real],
        leaves,
    )
    candidates = {"targets": torch.where(real, places, 0), "negatives": places.flip(0)[:, None]}
    yield Part(
        "the loss",
        "losses.py",
        "row_kernels.py",
        lambda: binary_cross_entropy(x, embedding=rows, **candidates),
        [x, rows],
    )


def _check_loops(part: Part, limit: float) -> None:
    with plainly():
        expected = _with_gradients(part)
    found = _with_gradients(part)
    with torch.inference_mode():
        ranked = part.compute()  # which keeps nothing for a gradient
    far = float(np.max(list(map(_distance, [ranked, *found], [expected[0], *expected]))))  # or NaN
    if not far <= limit:
        raise UserError(
            f"{part.name}: its formula in {part.formula} and {part.loops}, which computes it, "
            f"differ by {far:.2g} of the result or a gradient: change both alike, or let "
            "by_hand in gradients.py return False, which is slower and follows the formula"
        )


def _with_gradients(part: Part) -> list[Tensor]:
    result = part.compute()
    toward = torch.randn(result.shape, generator=torch.Generator().manual_seed(2)).to(result)
    gradients = torch.autograd.grad(result, part.leaves, toward, materialize_grads=True)
    return [result.detach(), *gradients]


@torch.inference_mode()
def _check_ranking(model: SASRec, inputs: _Inputs, limit: float) -> None:
    """Compare what ranking computes at each sequence's latest position with all positions'."""
    x, batch, last = inputs.x, inputs.batch, inputs.batch.layout.last_slots
    for number, block in enumerate(model.blocks, 1):
        with plainly():
            expected = block.formula(x, batch)[last]
        far = _distance(block.last(x, batch), expected)
        if not far <= limit:
            raise UserError(
                f"block {number}: its formula in model.py and `last`, which ranking computes "
                f"instead (see last_attention.py), differ by {far:.2g} of the result: change both "
                "alike, or let `last` return self(x, batch)[batch.layout.last_slots], which is "
                "slower and follows the formula"
            )
    with plainly():
        expected = model(batch)[last]
    far = _distance(model.last_states(batch), expected)
    if not far <= limit:
        raise UserError(
            "the model: `forward` in model.py and `last_states`, which ranking computes instead, "
            f"differ by {far:.2g} of the result: change both alike"
        )


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a part of the largest entry or of 1."""
    return ((one - other).abs().max() / other.abs().max().clamp(min=1)).item()
