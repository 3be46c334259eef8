"""A whole block by compiled loops (fused_block.py)."""

from torch import Tensor, nn

from sasrec.batching.layout import Layout
from sasrec.kernels import last
from sasrec.kernels.fused_block import FusedBlock, Setting
from sasrec.model.block import Block
from sasrec.model.feed_forward import ReluFeedForward
from sasrec.model.variants import RAW


def supports(block: Block) -> bool:
    """True for the paper's attention and feed-forward, of any variant."""
    return last.supports(block) and type(block.feed_forward) is ReluFeedForward


def block(module: Block, x: Tensor, layout: Layout) -> Tensor:
    """What `Block.forward` computes: [T, D] to [T, D]."""
    attention, feed_forward = module.attention, module.feed_forward
    layers = (
        *(module.attention_norm, attention.query, attention.key, attention.value),
        *(module.feed_forward_norm, feed_forward.inner, feed_forward.outer, attention.projection),
    )
    weights = [weight for layer in layers for weight in layer.parameters()]
    query, key_value, residual, after = map(int, module.variant)
    if after:  # nothing is normed before
        query = key_value = residual = RAW
    projects = not isinstance(attention.projection, nn.Identity)
    setting = Setting(
        (query, key_value, residual, after, int(module.residual), int(projects)),
        attention.num_heads,
        module.attention_norm.eps,
        layout,
        attention.dropout.active,
    )
    return FusedBlock.apply(x, setting, *weights)
