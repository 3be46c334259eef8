"""A whole block by compiled loops (fused_block.py)."""

from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.kernels import last
from sasrec.kernels.fused_block import BlockWeights, fused_block
from sasrec.kernels.loops.block import Setting
from sasrec.model.block import Block
from sasrec.model.feed_forward import ReluFeedForward
from sasrec.model.variants import NORMED


def supports(block: Block) -> bool:
    """True for the paper's attention and feed-forward, of any variant without gates."""
    paper = last.supports(block) and type(block.feed_forward) is ReluFeedForward
    return paper and not block.variant.gated


def block(module: Block, x: Tensor, layout: Layout) -> Tensor:
    """What `Block.forward` computes: [T, D] to [T, D]."""
    attention, feed_forward, variant = module.attention, module.feed_forward, module.variant
    projection = attention.projection if isinstance(attention.projection, nn.Linear) else None
    weights = BlockWeights(
        *_of(module.attention_norm),
        *_of(attention.query),
        *_of(attention.key),
        *_of(attention.value),
        *((None, None) if projection is None else _of(projection)),
        *_of(module.feed_forward_norm),
        *_of(feed_forward.inner),
        *_of(feed_forward.outer),
    )
    normed = not variant.after  # else nothing is normed before
    setting = Setting(
        query_normed=normed and variant.query == NORMED,
        key_value_normed=normed and variant.key_value == NORMED,
        residual_normed=normed and variant.residual == NORMED,
        post_norm=variant.after,
        adds=module.residual,
        projects=projection is not None,
        num_heads=attention.num_heads,
        epsilon=module.attention_norm.eps,
    )
    return fused_block(x, layout, weights, setting, attention.dropout.active)


def _of(module: nn.Linear | nn.LayerNorm) -> tuple[nn.Parameter, nn.Parameter]:
    return module.weight, module.bias
