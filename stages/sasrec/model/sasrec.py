"""SASRec (Kang & McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018).

Shapes: B sequences, T slots (all positions of a batch, see layout.py), D hidden size, N items.

The inputs' embeddings with positions (inputs.py), blocks of self-attention and feed-forward
(block.py), a last layer norm; an item's score is the inner product of the last state with the
item's embedding, or their cosine (scores.py). What people swap stands in tables.py.

All of it is plain PyTorch. The package `kernels` may put faster functions in the place of some
modules' `forward` and `last` after having compared them; nothing here knows of it.
"""

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.model.block import Block, Blocks
from sasrec.model.config import ModelConfig
from sasrec.model.dropout import Dropout
from sasrec.model.genres import ItemGenres
from sasrec.model.inputs import Inputs
from sasrec.model.item_dropout import ItemDropout
from sasrec.model.known import Known
from sasrec.model.norm import LayerNorm
from sasrec.model.tables import ATTENTIONS, INITIALISERS, INPUTS, POSITIONS, SCORES


class SASRec(nn.Module):
    """The model. Row 0 of the item embeddings is padding and stays zero.

    Args:
        config: the resolved params section `model`.
        num_items: N; items have ids 1 to N.
        seed: initial weights and dropout.
        known: of the data, what its inputs and attention need (needs.py).
    """

    def __init__(
        self,
        config: ModelConfig,
        num_items: int,
        seed: int,
        known: Known = Known(),  # noqa: B008, it is immutable
    ) -> None:
        super().__init__()
        self.config = config
        self.num_items = num_items
        self.known = known
        self.dropout = Dropout(config.dropout, seed)
        self.item_dropout = ItemDropout(config.item_dropout, self.dropout)
        self.inputs = Inputs(
            {name: INPUTS[name](config, num_items, known) for name in config.inputs},
            POSITIONS[config.position].in_inputs(config),
            self.dropout,
        )
        reads = getattr(ATTENTIONS[config.attention], "reads_attributes", False)
        read = reads and config.num_blocks > 0
        self.attributes = ItemGenres(config, num_items, known) if read else None
        self.blocks = Blocks(Block(config, self.dropout) for _ in range(config.num_blocks))
        self.last_norm = LayerNorm(config.hidden_size)
        self.output_embedding = (
            None
            if config.tied_embedding
            else nn.Embedding(num_items + 1, config.hidden_size, padding_idx=0)
        )
        self.score = SCORES[config.score](config.temperature)
        self._initialise(torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        initialise = INITIALISERS[self.config.initialisation]
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim == 2 and not parameter.is_meta:
                initialise(parameter, generator=generator)
        for table in self.item_tables:
            table[0] = 0

    @property
    def item_embedding(self) -> nn.Parameter:
        """[N + 1, D], of the inputs."""
        return self.inputs.parts["item"].embedding.weight

    @property
    def scoring_embedding(self) -> Tensor:
        """[N + 1, D]: what states are multiplied with, made of the last of `item_tables`."""
        return self.score.items(self.item_tables[-1])

    @property
    def item_tables(self) -> list[nn.Parameter]:
        """The embeddings by item, each [N + 1, D]: one, or two where the output has its own."""
        inputs, output = self.item_embedding, self.output_embedding
        return [inputs] if output is None else [inputs, output.weight]

    def forward(self, batch: Batch) -> Tensor:
        """States [T, D]: what is known after each slot's item; arbitrary at padding."""
        batch = self.item_dropout(batch)
        x, attributes = self.inputs(batch), self._attributes(batch)
        x = self.blocks(x, batch.layout, *attributes)
        return self.score.states(self.last_norm(x))

    def last_states(self, batch: Batch) -> Tensor:
        """[B, D]: `forward` at each sequence's latest position, in the layout's order."""
        assert not self.training, "last_states is for ranking: call eval() first"
        x, attributes = self.inputs(batch), self._attributes(batch)
        x = self.blocks[:-1](x, batch.layout, *attributes)
        if self.blocks:
            last = self.blocks[-1].last(x, batch.layout, *attributes)
        else:
            last = x[batch.layout.last_slots]
        return self.score.states(self.last_norm(last))

    def _attributes(self, batch: Batch) -> tuple[Tensor, ...]:
        """What attention is told of the items, [T, D], where it reads that."""
        return () if self.attributes is None else (self.attributes.of(batch.items),)


def count_parameters(
    config: ModelConfig,
    num_items: int,
    known: Known = Known(),  # noqa: B008, it is immutable
) -> int:
    """How many weights `SASRec` has, without taking memory for them."""
    counts = (min(config.num_blocks, 1), 2)
    few = [config.model_copy(update={"num_blocks": count}) for count in counts]
    with torch.device("meta"):
        first, two = (
            sum(weight.numel() for weight in SASRec(each, num_items, 0, known).parameters())
            for each in few
        )
    return first + max(0, config.num_blocks - 1) * (two - first)
