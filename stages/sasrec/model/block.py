"""A block of the model: self-attention and feed-forward, each with its norm and residual.

Shapes: B sequences, T slots, D hidden size.
"""

from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.model.config import ModelConfig
from sasrec.model.dropout import Dropout
from sasrec.model.norm import LayerNorm
from sasrec.model.tables import ATTENTIONS, FEED_FORWARDS, POSITIONS, VARIANTS


class Block(nn.Module):
    """Its parts are rows of the tables; `VARIANTS` says what is normed and added where."""

    def __init__(self, config: ModelConfig, dropout: Dropout) -> None:
        super().__init__()
        self.variant = VARIANTS[config.variant]
        feed_forward = FEED_FORWARDS[config.feed_forward]
        size, gated = config.hidden_size, self.variant.gated
        self.residual = config.residual
        self.attention_norm = LayerNorm(size)
        self.attention = ATTENTIONS[config.attention](
            config,
            POSITIONS[config.position].in_attention(config),
            dropout,
            projects=config.output_projection,
        )
        self.attention_gate = nn.Linear(size, size) if gated else None
        self.feed_forward_norm = LayerNorm(size) if feed_forward else None
        self.feed_forward = feed_forward(config, dropout) if feed_forward else None
        self.feed_forward_gate = nn.Linear(size, size) if feed_forward and gated else None

    def forward(self, x: Tensor, layout: Layout, *attributes: Tensor) -> Tensor:
        """[T, D] to [T, D].

        Args:
            attributes: the items' [T, D], one tensor, where the attention reads them; else none.
        """
        query, key_value, residual = self.attention_inputs(x)
        attended = self.attention(query, key_value, layout, *attributes)
        return self.after_attention(residual, attended)

    def last(self, x: Tensor, layout: Layout, *attributes: Tensor) -> Tensor:
        """[B, D]: what `forward` has at each sequence's latest position."""
        return self(x, layout, *attributes)[layout.last_slots]

    def attention_inputs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What queries, and keys and values, are made of, and what the results are added to."""
        row = self.variant
        inputs = (x, x if row.after else self.attention_norm(x))
        return inputs[row.query], inputs[row.key_value], inputs[row.residual]

    def after_attention(self, residual: Tensor, attended: Tensor) -> Tensor:
        """The rest of the block, slot by slot."""
        y = self._add(residual, attended, self.attention_gate)
        if self.variant.after:
            y = self.attention_norm(y)
        if self.feed_forward is None:
            return y
        if self.variant.after:
            added = self._add(y, self.feed_forward(y), self.feed_forward_gate)
            return self.feed_forward_norm(added)
        normed = self.feed_forward_norm(y)
        residual = (y, normed)[self.variant.residual]
        return self._add(residual, self.feed_forward(normed), self.feed_forward_gate)

    def _add(self, residual: Tensor, update: Tensor, gate: nn.Module | None) -> Tensor:
        if gate is not None:
            update = gate(residual).sigmoid() * update
        return residual + update if self.residual else update


class Blocks(nn.ModuleList):
    """The blocks of a model, one after another."""

    def forward(self, x: Tensor, layout: Layout, *attributes: Tensor) -> Tensor:
        """[T, D] to [T, D]; see `Block.forward`."""
        for block in self:
            x = block(x, layout, *attributes)
        return x
