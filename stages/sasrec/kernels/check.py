"""Whether drop-ins compute what plain PyTorch says: results, gradients, and last states.

Where one is changed and the other is not, training and ranking would follow two models. They are
compared on random input, by a small model of the same parts.
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sasrec.base.errors import UserError
from sasrec.batching.batches import Batch
from sasrec.batching.layout import Layout, lay_out_fixed, lay_out_packed
from sasrec.kernels.drop_ins import DropIn, attach, is_attached, plainly
from sasrec.model.block import Blocks
from sasrec.model.config import ModelConfig
from sasrec.model.known import Known
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import Loss

FAR = 1e-3  # of the largest entry; rounding alone is some hundred times less
# By hidden size: a norm of one or two units leaves little but rounding, divided by nearly nothing.
# It came to 0.22 and 0.025 in a hundred models each, and to 6e-5 with three units; through two
# blocks of two units to 0.26.
FAR_WITH_FEW = {1: 1.0, 2: 0.2}
FAR_THROUGH_BLOCKS = {1: 1.0, 2: 1.0}
# In mixed precision: rounding to bfloat16 takes up to 1/256 of a number. Right ones came to 0.007.
FAR_MIXED = 0.03
LENGTHS = [7, 1, 20, 3]
NUM_ITEMS = 29


class Case(NamedTuple):
    """A method of a module for which a drop-in may stand, and what it is compared on.

    Attributes:
        real: bool [T], which slots of the result count; None for a result that is not by slot.
        leaves: what it has gradients of; empty where it needs none.
        precision: what it is computed in the context of.
    """

    what: str
    module: nn.Module
    method: str
    arguments: tuple
    real: Tensor | None
    leaves: list[Tensor]
    precision: AbstractContextManager = nullcontext()

    def mixed(self, device: torch.device) -> "Case":
        """The same as training in mixed precision computes it."""
        precision = torch.autocast(device.type, torch.bfloat16)
        return self._replace(what=f"{self.what} in mixed precision", precision=precision)

    def compute(self) -> Tensor:
        """The method's result, by whatever stands for it."""
        with self.precision:
            result = getattr(self.module, self.method)(*self.arguments)
        return result if self.real is None else result[self.real]


def check_drop_ins(
    drop_ins: list[DropIn],
    config: ModelConfig,
    loss: Loss | None,
    device: torch.device,
    known: Known = Known(),  # noqa: B008, it is immutable
    *,
    mixed: bool = False,
) -> None:
    """Compare on `device`, by all threads and without dropout.

    The model's inputs are items alone: none of the others has a drop-in, and they need columns.

    Args:
        mixed: whether training is to be in mixed precision: what learns is compared in that too.

    Raises:
        UserError: a drop-in and what it stands for differ: one was changed without the other.
    """
    limit = FAR_WITH_FEW.get(config.hidden_size, FAR)
    through_blocks = FAR_THROUGH_BLOCKS.get(config.hidden_size, FAR)
    few: dict[str, object] = {"num_blocks": min(config.num_blocks, 2), "inputs": ["item"]}
    few["max_length"] = min(config.max_length, max(LENGTHS))
    small = config.model_copy(update=few)
    model = SASRec(small, NUM_ITEMS, 1, known.of_items(NUM_ITEMS)).to(device).eval()
    _draw_weights(model)
    loss = copy.deepcopy(loss)
    roots = [model] if loss is None else [model, loss]
    attach(drop_ins, *roots)
    for layout in _layouts(model.config, device):
        for case in _cases(model, loss, layout):
            if is_attached(case.module, case.method):
                through = isinstance(case.module, Blocks)
                _compare(case, roots, through_blocks if through else limit)
                if mixed and case.leaves:
                    _compare(case.mixed(device), roots, FAR_MIXED)
        _compare_last_states(model, layout, through_blocks)


def _draw_weights(model: SASRec) -> None:
    """Small changes of all weights, so that none is 0 or 1 any longer."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=draw).to(weight.device)
        for table in model.item_tables:
            table[0] = 0


def _layouts(config: ModelConfig, device: torch.device) -> Iterator[Layout]:
    """Sequences for all threads: on the CPU packed, and a row each."""
    lengths = np.minimum(LENGTHS * 6 * torch.get_num_threads(), config.max_length)
    if device.type == "cpu":
        yield lay_out_packed(lengths)
    yield lay_out_fixed(torch.from_numpy(lengths).to(device), int(lengths.max()))


def _cases(model: SASRec, loss: Loss | None, layout: Layout) -> Iterator[Case]:
    draw, real = torch.Generator().manual_seed(2), layout.real
    items = torch.randint(1, NUM_ITEMS + 1, real.shape, generator=draw).to(real.device)
    items = torch.where(real, items, 0)
    x = torch.randn(len(real), model.config.hidden_size, generator=draw).to(model.item_embedding)
    x.requires_grad_()
    for block in model.blocks[:1]:
        yield Case("blocks", block, "forward", (x, layout), real, [x, *block.parameters()])
        yield Case("last states", block, "last", (x, layout), None, [])
    blocks = [x, *model.blocks.parameters()]
    yield Case("blocks", model.blocks, "forward", (x, layout), real, blocks)
    for name, module, argument in (
        ("norms", model.last_norm, x),
        ("inputs", model.inputs, Batch(items, layout)),
    ):
        leaves = [x] if argument is x else []
        yield Case(name, module, "forward", (argument,), real, [*leaves, *module.parameters()])
    if loss is not None:
        embedding = model.scoring_embedding
        negatives = items.flip(0)[:, None].expand(-1, loss.num_negatives).contiguous()
        drawn = [negatives.clamp(min=1)] if loss.num_negatives else []
        yield Case("loss", loss, "forward", (x, embedding, items, *drawn), None, [x, embedding])


def _compare(case: Case, roots: list[nn.Module], limit: float) -> None:
    with plainly(*roots):
        expected = _with_gradients(case)
    found = _with_gradients(case)
    with torch.inference_mode():  # which keeps nothing for a gradient
        found, expected = [case.compute(), *found], [expected[0], *expected]
    far = float(np.max(list(map(_distance, found, expected))))  # or NaN
    if not far <= limit:
        kind, drop_in = type(case.module), getattr(case.module, case.method).func
        raise UserError(
            f"{case.what}: {kind.__name__}.{case.method} in {kind.__module__} and what computes "
            f"it instead, {drop_in.__name__} in {drop_in.__module__}, differ by {far:.2g} of the "
            "result or a gradient: change both alike, or set train.kernels to plain, which is "
            "slower and follows the former"
        )


def _with_gradients(case: Case) -> list[Tensor]:
    if not case.leaves:
        with torch.inference_mode():
            return [case.compute()]
    result = case.compute()
    toward = torch.randn(result.shape, generator=torch.Generator().manual_seed(3)).to(result)
    gradients = torch.autograd.grad(result, case.leaves, toward, materialize_grads=True)
    return [result.detach(), *gradients]


@torch.inference_mode()
def _compare_last_states(model: SASRec, layout: Layout, limit: float) -> None:
    """What ranking computes at each sequence's latest position, with all positions' states."""
    items = torch.arange(len(layout.real), device=layout.real.device) % NUM_ITEMS + 1
    batch = Batch(torch.where(layout.real, items, 0), layout)
    with plainly(model):
        expected = model(batch)[layout.last_slots]
    far = _distance(model.last_states(batch), expected)
    if not far <= limit:
        raise UserError(
            "the model: `forward` and `last_states` in sasrec.model.sasrec differ by "
            f"{far:.2g} of the result: change both alike"
        )


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference, as a part of the largest entry or of 1."""
    return ((one - other).abs().max() / other.abs().max().clamp(min=1)).item()
