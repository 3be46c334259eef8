"""The same sequence by another dropout (DuoRec: Qiu et al., "Contrastive Learning for
Representation Degeneration Problem in Sequential Recommendation", WSDM 2022; its unsupervised
part)."""

from torch import Tensor

from sasrec.batching.batches import TrainingBatch
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.term import Drawn, Encode


class ByDropout(Contrast):
    """The states that the next item is learnt from, and those of one more pass."""

    name = "dropout"
    needs_dropout = True

    def pair(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, states: Tensor, prepared: Drawn
    ) -> tuple[Tensor, Tensor]:
        """See `Contrast`."""
        assert model.dropout.rate or model.item_dropout.rate, "both passes are the same"
        return self.represent(states, batch), self.represent(encode(batch.inputs), batch)
