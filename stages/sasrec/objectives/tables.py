"""What may be learnt, and against what: one row, one module, one name in params.yaml."""

from collections.abc import Callable

from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.cross_entropy import CrossEntropy
from sasrec.objectives.gbce import GeneralisedBinaryCrossEntropy
from sasrec.objectives.losses import Loss
from sasrec.objectives.mixed import MixedNegatives
from sasrec.objectives.negatives import Negatives
from sasrec.objectives.popularity import InBatchNegatives, PopularityNegatives
from sasrec.objectives.sampled_softmax import SampledSoftmax
from sasrec.objectives.uniform import UniformNegatives

# Each is made of LossSettings and the number of items.
LOSSES: dict[str, type[Loss]] = {
    "binary_cross_entropy": BinaryCrossEntropy,  # the paper's
    "gbce": GeneralisedBinaryCrossEntropy,
    "sampled_softmax": SampledSoftmax,
    "cross_entropy": CrossEntropy,
}

NEGATIVES: dict[str, Callable[..., Negatives]] = {
    "uniform": UniformNegatives,  # the paper's
    "popularity": PopularityNegatives,
    "in_batch": InBatchNegatives,
    "mixed": MixedNegatives,
}
