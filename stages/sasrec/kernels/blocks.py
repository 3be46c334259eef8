"""Whole blocks by compiled loops (fused_blocks.py): all of a model, or one."""

from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.kernels import last
from sasrec.kernels.fused_blocks import BlockWeights, fused_blocks
from sasrec.kernels.loops.block import Setting
from sasrec.model.block import Block, Blocks
from sasrec.model.feed_forward import ReluFeedForward
from sasrec.model.variants import NORMED


def supports(block: Block) -> bool:
    """True for the paper's attention and feed-forward, of any variant without gates."""
    paper = last.supports(block) and type(block.feed_forward) is ReluFeedForward
    return paper and not block.variant.gated


def all_supported(blocks: Blocks) -> bool:
    """True for such blocks, or none, that differ in nothing but their weights."""
    plain = all(type(block) is Block and supports(block) for block in blocks)
    return plain and len({(_setting(block), block.attention.dropout) for block in blocks}) <= 1


def block(module: Block, x: Tensor, layout: Layout) -> Tensor:
    """What `Block.forward` computes: [T, D] to [T, D]."""
    return _in_turn([module], x, layout)


def blocks(module: Blocks, x: Tensor, layout: Layout) -> Tensor:
    """What `Blocks.forward` computes: [T, D] to [T, D]."""
    return _in_turn(list(module), x, layout) if len(module) else x


def _in_turn(blocks: list[Block], x: Tensor, layout: Layout) -> Tensor:
    weights, dropout = [_weights(block) for block in blocks], blocks[0].attention.dropout
    return fused_blocks(x, layout, weights, _setting(blocks[0]), dropout.active)


def _weights(module: Block) -> BlockWeights:
    attention, feed_forward = module.attention, module.feed_forward
    projection = attention.projection if isinstance(attention.projection, nn.Linear) else None
    return BlockWeights(
        *_of(module.attention_norm),
        *_of(attention.query),
        *_of(attention.key),
        *_of(attention.value),
        *((None, None) if projection is None else _of(projection)),
        *_of(module.feed_forward_norm),
        *_of(feed_forward.inner),
        *_of(feed_forward.outer),
    )


def _setting(module: Block) -> Setting:
    attention, variant = module.attention, module.variant
    normed = not variant.after  # else nothing is normed before
    return Setting(
        query_normed=normed and variant.query == NORMED,
        key_value_normed=normed and variant.key_value == NORMED,
        residual_normed=normed and variant.residual == NORMED,
        post_norm=variant.after,
        adds=module.residual,
        projects=isinstance(attention.projection, nn.Linear),
        num_heads=attention.num_heads,
        epsilon=module.attention_norm.eps,
    )


def _of(module: nn.Linear | nn.LayerNorm) -> tuple[nn.Parameter, nn.Parameter]:
    return module.weight, module.bias
