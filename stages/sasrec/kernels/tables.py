"""The drop-ins that there are. Nothing else knows of them."""

from sasrec.kernels import blocks, inputs, last
from sasrec.kernels.drop_ins import DropIn
from sasrec.kernels.full_softmax import cross_entropy
from sasrec.kernels.loss import binary_cross_entropy, sampled_softmax
from sasrec.kernels.norm import norm
from sasrec.model.block import Block
from sasrec.model.inputs import Inputs
from sasrec.model.norm import LayerNorm
from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.cross_entropy import CrossEntropy
from sasrec.objectives.gbce import GeneralisedBinaryCrossEntropy
from sasrec.objectives.sampled_softmax import SampledSoftmax

LOOPS = "compiled loops"


def _always(_: object) -> bool:
    return True


DROP_INS = [
    DropIn("blocks", LOOPS, Block, "forward", blocks.supports, blocks.block, needs_cpu=True),
    DropIn("inputs", LOOPS, Inputs, "forward", inputs.supports, inputs.inputs, needs_cpu=True),
    DropIn("norms", LOOPS, LayerNorm, "forward", _always, norm, needs_cpu=True),
    *(
        DropIn("loss", LOOPS, kind, "forward", _always, compute, needs_cpu=True)
        for kind, compute in (
            (BinaryCrossEntropy, binary_cross_entropy),
            (GeneralisedBinaryCrossEntropy, binary_cross_entropy),
            (SampledSoftmax, sampled_softmax),
        )
    ),
    DropIn("loss", "in one pass", CrossEntropy, "forward", _always, cross_entropy, needs_cpu=False),
    DropIn("last states", "a shortcut", Block, "last", last.supports, last.last, needs_cpu=False),
]
