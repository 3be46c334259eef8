"""SASRec (Kang & McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018).

Shapes: B sequences, T slots (all positions of a batch, see layout.py), D hidden size, N items.

The inputs' embeddings with positions (inputs.py), blocks of self-attention and feed-forward
(block.py), a last layer norm; an item's score is the inner product of the last state with the
item's embedding. What people swap stands in tables.py.

All of it is plain PyTorch. The package `kernels` may put faster functions in the place of some
modules' `forward` and `last` after having compared them; nothing here knows of it.
"""

import torch
from torch import Tensor, nn

from sasrec.batching.batches import Batch
from sasrec.model.block import Block
from sasrec.model.config import ModelConfig
from sasrec.model.dropout import Dropout
from sasrec.model.inputs import Inputs
from sasrec.model.norm import LayerNorm
from sasrec.model.tables import INITIALISERS, INPUTS, POSITIONS


class SASRec(nn.Module):
    """The model. Row 0 of the item embeddings is padding and stays zero.

    Args:
        config: the resolved params section `model`.
        num_items: N; items have ids 1 to N.
        seed: initial weights and dropout.
    """

    def __init__(self, config: ModelConfig, num_items: int, seed: int) -> None:
        super().__init__()
        self.config = config
        self.num_items = num_items
        self.dropout = Dropout(config.dropout, seed)
        self.inputs = Inputs(
            {name: INPUTS[name](config, num_items) for name in config.inputs},
            POSITIONS[config.position].in_inputs(config),
            self.dropout,
        )
        self.blocks = nn.ModuleList(Block(config, self.dropout) for _ in range(config.num_blocks))
        self.last_norm = LayerNorm(config.hidden_size)
        self.output_embedding = (
            None
            if config.tied_embedding
            else nn.Embedding(num_items + 1, config.hidden_size, padding_idx=0)
        )
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
    def scoring_embedding(self) -> nn.Parameter:
        """[N + 1, D]: what states are multiplied with; the inputs' embedding unless untied."""
        output = self.output_embedding
        return self.item_embedding if output is None else output.weight

    @property
    def item_tables(self) -> list[nn.Parameter]:
        """The embeddings by item, each [N + 1, D]: one, or two where the output has its own."""
        tables = [self.item_embedding]
        return tables if self.output_embedding is None else [*tables, self.scoring_embedding]

    def forward(self, batch: Batch) -> Tensor:
        """States [T, D]: what is known after each slot's item; arbitrary at padding."""
        x = self.inputs(batch)
        for block in self.blocks:
            x = block(x, batch.layout)
        return self.last_norm(x)

    def last_states(self, batch: Batch) -> Tensor:
        """[B, D]: `forward` at each sequence's latest position, in the layout's order."""
        assert not self.training, "last_states is for ranking: call eval() first"
        x = self.inputs(batch)
        for block in self.blocks[:-1]:
            x = block(x, batch.layout)
        last = self.blocks[-1].last(x, batch.layout) if self.blocks else x[batch.layout.last_slots]
        return self.last_norm(last)


def count_parameters(config: ModelConfig, num_items: int) -> int:
    """How many weights `SASRec` has, without taking memory for them."""
    few = [config.model_copy(update={"num_blocks": count}) for count in (0, 1)]
    with torch.device("meta"):
        none, one = (
            sum(weight.numel() for weight in SASRec(each, num_items, seed=0).parameters())
            for each in few
        )
    return none + config.num_blocks * (one - none)
