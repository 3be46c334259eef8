"""The one call before a model trains or ranks: which drop-ins stand for what, and checked."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from sasrec.base.errors import UserError
from sasrec.batching.layout import Kind
from sasrec.kernels.check import check_drop_ins
from sasrec.kernels.compiling import load_loops
from sasrec.kernels.drop_ins import PLAIN, attach, drop_in_of, is_attached
from sasrec.kernels.parts import loops_alone
from sasrec.kernels.tables import DROP_INS, LOOPS
from sasrec.model.config import Kernels
from sasrec.model.sasrec import SASRec
from sasrec.objectives.losses import Loss


def prepare(
    model: SASRec,
    loss: Loss | None = None,
    *,
    kernels: Kernels = "auto",
    loops: bool = True,
    mixed: bool = False,
    compared: bool = False,
    report: Callable[[str], None] = print,
) -> None:
    """Put drop-ins on `model` and `loss`, where they support them, and say in a line what runs.

    Args:
        model: on its device.
        loss: what it is to be trained with; None for ranking.
        kernels: plain for none at all.
        loops: False where torch compiles the model: then there are only drop-ins that are PyTorch
            themselves.
        mixed: True where torch computes in mixed precision, which few drop-ins can.
        compared: True where drop-ins were compared before, for a model and a loss of these parts.
        report: told what runs, that compiling will take a while, and what stands in its way.

    Raises:
        UserError: a weight is not a number, or a drop-in differs from what it stands for.
    """
    _check_weights(model)
    device = model.item_embedding.device
    loops = loops and device.type == "cpu"
    drop_ins = [row for row in DROP_INS if (loops or not row.loops) and (row.mixes or not mixed)]
    if kernels == "plain":
        drop_ins = []
    roots = [model] if loss is None else [model, loss]
    hows = attach(drop_ins, *roots)
    if {row.how for row in drop_ins if row.loops} & set(hows.values()):
        load_loops(report)
    if not compared:
        check_drop_ins(drop_ins, model.config, loss, device, model.known, mixed=mixed)
    report(_line(hows, loss))


def layout_for(model: SASRec, *, compiled: bool = False) -> Kind:
    """How the sequences of a batch should lie for this model, after `prepare`."""
    if compiled or model.item_embedding.device.type != "cpu":
        return "fixed"
    by_loops = all(is_attached(block) for block in model.blocks)
    return "packed" if by_loops else "grouped"


def training_threads(model: SASRec, loss: Loss) -> AbstractContextManager[None]:
    """What an epoch is to run in, after `prepare`: who has the threads, loops or torch."""
    loops = {row.compute for row in DROP_INS if row.how == LOOPS}
    modules = (*model.blocks, model.inputs, model.last_norm, loss)
    alone = all(drop_in_of(module) in loops for module in modules)
    return loops_alone() if alone else nullcontext()


def _check_weights(model: SASRec) -> None:
    for name, weight in model.named_parameters():
        if not weight.isfinite().all():
            raise UserError(
                f"the model's {name} holds NaN or infinite values: its training diverged; lower "
                "train.learning_rate and train again"
            )


def _line(hows: dict[str, str], loss: Loss | None) -> str:
    """What runs: "blocks, inputs: compiled loops; norms: plain PyTorch"."""
    operations = list(dict.fromkeys(row.what for row in DROP_INS))
    if loss is None:
        operations.remove("loss")
    by_how: dict[str, list[str]] = {}
    for what in operations:
        by_how.setdefault(hows.get(what, PLAIN), []).append(what)
    return "; ".join(f"{', '.join(whats)}: {how}" for how, whats in by_how.items())
