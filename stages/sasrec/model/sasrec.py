"""SASRec (Kang & McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018).

Shapes: B sequences, T slots (all positions of a batch, see layout.py), D hidden size, N items.

Item embedding times sqrt(D) plus a learned position, dropout, blocks of self-attention and
feed-forward, a last layer norm; an item's score is the inner product of the last state with the
item's embedding. The authors' code and their paper differ in where a block normalises and what it
adds; `VARIANTS` is that difference as a table.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from sasrec.base.params import Section
from sasrec.batching.batches import Batch
from sasrec.kernels.fused_block import FusedBlock, Setting
from sasrec.model.attention import Projections, attend
from sasrec.model.embedding import embed
from sasrec.model.feed_forward import feed_forward
from sasrec.model.gradients import by_hand
from sasrec.model.last_attention import attend_last
from sasrec.model.layer_norm import LayerNorm
from sasrec.model.noise import Noise

RAW, NORMED = 0, 1


class Variant(NamedTuple):
    """Where a block normalises, and what it adds its sublayers to; entries are RAW or NORMED.

    With n = LN(x) and `after` False (pre-norm):
        attention     y = residual + attend(query, key_value), each of them x or n
        feed-forward  m = LN(y);  y or m (as the residual says) + g(m)
    With `after` True (post-norm) nothing is normed before, but each sum is: LN(x + ...).
    """

    query: int
    key_value: int
    residual: int
    after: bool


VARIANTS = {
    "official": Variant(NORMED, RAW, NORMED, after=False),  # kang205/SASRec: model.py, modules.py
    "paper": Variant(NORMED, NORMED, RAW, after=False),  # section III-B, "residual connections"
    "normed_residual": Variant(NORMED, NORMED, NORMED, after=False),
    "post_norm": Variant(RAW, RAW, RAW, after=True),  # Vaswani et al. 2017, section 3.1
}

INITIALISERS: dict[str, Callable[..., Tensor]] = {
    "xavier_uniform": nn.init.xavier_uniform_,  # the authors' (TensorFlow's default)
    "xavier_normal": nn.init.xavier_normal_,
}


class ModelConfig(Section):
    """Everything that rebuilds the model but the weights; the params section `model`, resolved."""

    variant: Literal[*VARIANTS]  # type: ignore[valid-type]
    hidden_size: int = Field(ge=1)
    num_blocks: int = Field(ge=0)
    num_heads: int = Field(ge=1)
    max_length: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    output_projection: bool
    position_embedding: bool
    tied_embedding: bool
    residual: bool
    initialisation: Literal[*INITIALISERS]  # type: ignore[valid-type]

    @model_validator(mode="after")
    def _heads_divide(self) -> "ModelConfig":
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size = {self.hidden_size} is not divisible by num_heads = {self.num_heads}"
            )
        return self


def count_parameters(config: ModelConfig, num_items: int) -> int:
    """How many weights `SASRec` has, without building it."""
    size = config.hidden_size
    linear, norm = size * size + size, 2 * size
    block = 2 * norm + (6 if config.output_projection else 5) * linear
    tables = (1 if config.tied_embedding else 2) * (num_items + 1)
    positions = config.max_length if config.position_embedding else 0
    return (tables + positions) * size + config.num_blocks * block + norm


class Block(nn.Module):
    """Self-attention and feed-forward, each with its norm and residual as the variant says."""

    def __init__(self, config: ModelConfig, noise: Noise) -> None:
        super().__init__()
        size = config.hidden_size
        self.variant = VARIANTS[config.variant]
        self.num_heads = config.num_heads
        self.noise = noise
        self.residual = config.residual
        self.attention_norm = LayerNorm(size)
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.projection = nn.Linear(size, size) if config.output_projection else nn.Identity()
        self.feed_forward_norm = LayerNorm(size)
        self.inner = nn.Linear(size, size)
        self.outer = nn.Linear(size, size)
        # Plain tuples: the norms are registered above, under one name each.
        self._attention_norms = _before_and_after(self.attention_norm, self.variant)
        self._feed_forward_norms = _before_and_after(self.feed_forward_norm, self.variant)

    def forward(self, x: Tensor, batch: Batch) -> Tensor:
        """[T, D] to [T, D]."""
        return self._fused(x, batch) if by_hand(x) else self.formula(x, batch)

    def formula(self, x: Tensor, batch: Batch) -> Tensor:
        """What a block computes, step by step.

        On the CPU block_kernels.py restates it; block_check.py holds one against the other before
        training, so that a change of one alone does not go unseen.
        """
        query, key_value, residual = self._attention_inputs(x)
        attended = attend(
            query,
            key_value,
            self._projections,
            batch.layout,
            num_heads=self.num_heads,
            noise=self._active_noise,
        )
        return self._after_attention(residual, attended)

    def last(self, x: Tensor, batch: Batch) -> Tensor:
        """[T, D] to [B, D]: what `forward` has at each sequence's latest position, without dropout.

        The last block of a model needs no more for ranking, which saves half of its work.
        """
        latest = x[batch.layout.last_slots]
        query, _, residual = self._attention_inputs(latest)
        before, _ = self._attention_norms
        key_value = before(x) if self.variant.key_value == NORMED else x
        attended = attend_last(
            query, key_value, self._projections, batch.layout, num_heads=self.num_heads
        )
        return self._after_attention(residual, attended)

    def _fused(self, x: Tensor, batch: Batch) -> Tensor:
        """What `formula` says, by compiled loops."""
        layers = (
            *(self.attention_norm, self.query, self.key, self.value),
            *(self.feed_forward_norm, self.inner, self.outer, self.projection),
        )
        weights = [weight for layer in layers for weight in layer.parameters()]
        query, key_value, residual, after = map(int, self.variant)
        if after:  # nothing is normed before
            query = key_value = residual = RAW
        projects = not isinstance(self.projection, nn.Identity)
        setting = Setting(
            (query, key_value, residual, after, int(self.residual), int(projects)),
            self.num_heads,
            self.attention_norm.eps,
            batch.layout,
            self._active_noise,
        )
        return FusedBlock.apply(x, setting, *weights)

    @property
    def _projections(self) -> Projections:
        return Projections(self.query, self.key, self.value)

    @property
    def _active_noise(self) -> Noise | None:
        return self.noise if self.training and self.noise.rate else None

    def _attention_inputs(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before, _ = self._attention_norms
        inputs = (x, before(x))
        row = self.variant
        return inputs[row.query], inputs[row.key_value], inputs[row.residual]

    def _after_attention(self, residual: Tensor, attended: Tensor) -> Tensor:
        _, after = self._attention_norms
        y = after(self._add(residual, self.projection(attended)))
        before, after = self._feed_forward_norms
        inputs = (y, before(y))
        update = feed_forward(inputs[1], self.inner, self.outer, self._active_noise)
        return after(self._add(inputs[self.variant.residual], update))

    def _add(self, residual: Tensor, update: Tensor) -> Tensor:
        return residual + update if self.residual else update


def _before_and_after(norm: nn.Module, variant: Variant) -> tuple[nn.Module, nn.Module]:
    """What a sublayer's input and its sum go through."""
    return (nn.Identity(), norm) if variant.after else (norm, nn.Identity())


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
        self.noise = Noise(config.dropout, seed)
        size = config.hidden_size
        self.item_embedding = nn.Embedding(num_items + 1, size, padding_idx=0)
        self.output_embedding = (
            None if config.tied_embedding else nn.Embedding(num_items + 1, size, padding_idx=0)
        )
        self.position_embedding = (
            nn.Embedding(config.max_length, size) if config.position_embedding else None
        )
        self.blocks = nn.ModuleList(Block(config, self.noise) for _ in range(config.num_blocks))
        self.last_norm = LayerNorm(size)
        self._initialise(torch.Generator().manual_seed(seed))

    def _initialise(self, generator: torch.Generator) -> None:
        initialise = INITIALISERS[self.config.initialisation]
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if parameter.ndim == 2:
                    initialise(parameter, generator=generator)
                elif name.endswith("bias"):
                    parameter.zero_()
                if name in ("item_embedding.weight", "output_embedding.weight"):
                    parameter[0] = 0

    @property
    def scoring_embedding(self) -> Tensor:
        """[N + 1, D]: what states are multiplied with; the input's embedding unless untied."""
        return (self.output_embedding or self.item_embedding).weight

    @property
    def item_tables(self) -> list[nn.Parameter]:
        """The embeddings by item, each [N + 1, D]: one, or two where the output has its own."""
        tables = [self.item_embedding, self.output_embedding]
        return [table.weight for table in tables if table is not None]

    def forward(self, batch: Batch) -> Tensor:
        """States [T, D]: what is known after each slot's item; arbitrary at padding."""
        x = self._embed(batch)
        for block in self.blocks:
            x = block(x, batch)
        return self.last_norm(x)

    def last_states(self, batch: Batch) -> Tensor:
        """[B, D]: `forward` at each sequence's latest position, in the layout's order."""
        assert not self.training, "last_states is for ranking: call eval() first"
        x = self._embed(batch)
        for block in self.blocks[:-1]:
            x = block(x, batch)
        last = self.blocks[-1].last(x, batch) if self.blocks else x[batch.layout.last_slots]
        return self.last_norm(last)

    def _embed(self, batch: Batch) -> Tensor:
        _check(batch.items, self.num_items)
        positions = self.position_embedding
        return embed(
            batch.items,
            batch.layout.positions,
            item_embedding=self.item_embedding.weight,
            position_embedding=None if positions is None else positions.weight,
            noise=self.noise if self.training and self.noise.rate else None,
        )


def _check(items: Tensor, num_items: int) -> None:
    """Say in words what a GPU would say by a device-side assert."""
    if not isinstance(items, Tensor):
        raise TypeError(f"items: expected a tensor of int64, got {type(items).__name__}")
    if items.dtype != torch.int64 or items.ndim != 1:
        raise TypeError(
            f"items: expected int64 of shape [T], got {items.dtype} of {list(items.shape)}"
        )
    if items.device.type == "cpu" and items.numel():
        low, high = items.aminmax()
        if low < 0 or high > num_items:
            raise ValueError(
                f"items: ids from {int(low)} to {int(high)}, expected 0 (padding) to {num_items}"
            )
