"""The same sequence by another dropout (DuoRec: Qiu et al., "Contrastive Learning for
Representation Degeneration Problem in Sequential Recommendation", WSDM 2022; its unsupervised
part)."""

from torch import Tensor

from sasrec.base.errors import UserError
from sasrec.batching.batches import TrainingBatch
from sasrec.model.sasrec import SASRec
from sasrec.objectives.contrasts.contrast import Contrast
from sasrec.objectives.term import Drawn, Encode


class ByDropout(Contrast):
    """The states that the next item is learnt from, and those of one more pass.

    Raises (`forward`):
        UserError: nothing is dropped.
    """

    name = "dropout"

    def pair(
        self, model: SASRec, encode: Encode, batch: TrainingBatch, states: Tensor, prepared: Drawn
    ) -> tuple[Tensor, Tensor]:
        """See `Contrast`."""
        if not (model.dropout.rate or model.item_dropout.rate):
            raise UserError(
                "objective.contrasts names dropout, and model.dropout = 0: both passes are the "
                "same; raise model.dropout or take dropout out of objective.contrasts"
            )
        return self.represent(states, batch), self.represent(encode(batch.inputs), batch)
