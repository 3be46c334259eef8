"""Generalised binary cross-entropy: what sampling negatives makes of scores, taken back.

gSASRec (Petrov & Macdonald, RecSys 2023, section 5): with K of N - 1 items as negatives the scores
of plain binary cross-entropy are too sure. The positive's sigmoid is raised to the power

    w = a (t (1 - 1 / a) + 1 / a)        with a = K / (N - 1)

which weighs its logarithm. t = 0 is plain binary cross-entropy, t = 1 takes all of it back.
"""

from sasrec.objectives.binary_cross_entropy import BinaryCrossEntropy
from sasrec.objectives.losses import LossSettings


class GeneralisedBinaryCrossEntropy(BinaryCrossEntropy):
    """t is `calibration`. With as many negatives as other items, or more, w is 1."""

    def __init__(self, settings: LossSettings, num_items: int) -> None:
        rate = min(1.0, settings.num_negatives / max(1, num_items - 1))
        t = settings.calibration
        super().__init__(
            settings, num_items, positive_weight=rate * (t * (1 - 1 / rate) + 1 / rate)
        )
