"""The drop-ins that there are. Nothing else knows of them."""

from collections.abc import Callable

from sasrec.kernels import blocks, inputs, last
from sasrec.kernels.drop_ins import DropIn
from sasrec.kernels.full_softmax import cross_entropy, cross_entropy_by_loop
from sasrec.kernels.loss import binary_cross_entropy, sampled_softmax
from sasrec.kernels.norm import norm
from sasrec.model.block import Block, Blocks
from sasrec.model.inputs import Inputs
from sasrec.model.norm import LayerNorm
from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.cross_entropy import CrossEntropy
from sasrec.objectives.gbce import GeneralisedBinaryCrossEntropy
from sasrec.objectives.sampled_softmax import SampledSoftmax

LOOPS = "compiled loops"


def _always(_: object) -> bool:
    return True


def _by_loops(what: str, module: type, supports: Callable, compute: Callable) -> DropIn:
    return DropIn(what, LOOPS, module, "forward", supports, compute, loops=True, mixes=False)


# The first of a module's that there may be is taken.
DROP_INS = [
    _by_loops("blocks", Blocks, blocks.all_supported, blocks.blocks),
    _by_loops("blocks", Block, blocks.supports, blocks.block),
    _by_loops("inputs", Inputs, inputs.supports, inputs.inputs),
    _by_loops("norms", LayerNorm, _always, norm),
    _by_loops("loss", BinaryCrossEntropy, _always, binary_cross_entropy),
    _by_loops("loss", GeneralisedBinaryCrossEntropy, _always, binary_cross_entropy),
    _by_loops("loss", SampledSoftmax, _always, sampled_softmax),
    DropIn(
        *("loss", "in one pass, by a loop", CrossEntropy, "forward"),
        *(_always, cross_entropy_by_loop),
        loops=True,
    ),
    DropIn("loss", "in one pass", CrossEntropy, "forward", _always, cross_entropy, loops=False),
    DropIn("last states", "a shortcut", Block, "last", last.supports, last.last, loops=False),
]
