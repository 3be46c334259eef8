"""A block of the model on the CPU, by compiled loops and with a gradient by hand.

Shapes: T slots in all, D hidden size, H heads, d = D / H.

The formula is `Block` in model.py, the loops are in block_kernels.py.
"""

from typing import NamedTuple

import torch

from sasrec.batching.layout import Layout
from sasrec.kernels.parts import run_parts, specialised
from sasrec.kernels.spans import spans_of
from sasrec.model.dropout import NO_UNITS, Dropout


class Setting(NamedTuple):
    """What a block is applied with, beside its input and weights.

    Attributes:
        flags: query, key_value, residual, after (as in `Variant`); whether there are residuals and
            an output projection.
        noise: None without dropout.
    """

    flags: tuple[int, int, int, int, int, int]
    num_heads: int
    epsilon: float
    layout: Layout
    noise: Dropout | None


class FusedBlock(torch.autograd.Function):
    """(x [T, D], setting, *weights) to [T, D].

    The weights and biases are those of a norm, queries, keys, values, another norm, the inner and
    the outer layer, and the projection, if there is one. The keys' bias adds the same to all scores
    of a query, which the softmax forgets: it is left out, and its gradient is 0.
    """

    @staticmethod
    def forward(ctx, x, setting, *tensors):  # noqa: ANN001, ANN002, ANN205
        flags, num_heads, epsilon, layout, noise = setting
        size = x.shape[1]
        loops = specialised("block", SIZE=size, HEADS=num_heads, SINGLE=x.dtype == torch.float32)
        x = x.contiguous()
        spans, kind = spans_of(layout), x.numpy().dtype.type
        pairs = num_heads * spans.pairs
        units = [noise.units(n) if noise else NO_UNITS for n in (pairs, x.numel(), x.numel())]
        threshold, scale = (noise.threshold, noise.scale) if noise else (0, 1)
        weights = torch.cat([tensor.reshape(-1, size) for tensor in tensors]).numpy()
        saving = not torch.is_inference_mode_enabled()
        # At padding there is nothing to attend to, and nothing is attended.
        new = x.new_empty if layout.groups is None else x.new_zeros
        planes, moments = new(loops.PLANES, *x.shape).numpy(), x.new_empty(2, 2, len(x)).numpy()
        attention, out = x.new_empty(pairs if saving else 0).numpy(), torch.empty_like(x)
        where = (spans.starts, spans.lengths, spans.triangles)
        run_parts(
            loops.forward,
            *(x.numpy(), weights, *flags, *where, *units, threshold, kind(scale), kind(epsilon)),
            *(planes, moments, attention, out.numpy()),
            edges=spans.edges,
        )
        ctx.save_for_backward(x, *tensors)
        ctx.kept = loops, weights, flags, layout
        ctx.arrays = units[2], threshold, kind(scale), planes, moments, attention
        return out

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        x, *tensors = ctx.saved_tensors
        loops, weights, flags, layout = ctx.kept
        spans, of_x = spans_of(layout), torch.empty_like(x)
        new = x.new_empty if layout.groups is None else x.new_zeros
        sums = x.new_zeros(len(spans.edges) - 1, *weights.shape).numpy()
        run_parts(
            loops.backward,
            *(gradient.contiguous().numpy(), x.numpy(), weights, *flags),
            *(spans.starts, spans.lengths, spans.triangles, *ctx.arrays),
            *(new(loops.SCRATCH, *x.shape).numpy(), of_x.numpy(), sums),
            edges=spans.edges,
        )
        ctx.arrays = None  # free them at once
        of_weights = x.new_empty(weights.shape)
        loops.gradients(sums, weights, of_weights.numpy())
        parts = of_weights.split([tensor.numel() // x.shape[1] for tensor in tensors])
        return (
            of_x,
            None,
            *(part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)),
        )
