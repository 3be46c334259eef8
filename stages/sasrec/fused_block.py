"""A block of the model on the CPU, by compiled loops and with a gradient by hand.

Shapes: T slots in all, D hidden size, H heads, d = D / H.

The formula is `Block` in model.py, the loops are in block_kernels.py.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sasrec.kernels import run_parts, specialised
from sasrec.layout import Layout
from sasrec.noise import NO_UNITS, Noise


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
    noise: Noise | None


class FusedBlock(torch.autograd.Function):
    """(x [T, D], setting, weights and biases) to [T, D].

    The weights are those of the norm, queries, keys, values, projection (or empty), the other norm,
    the inner and the outer layer. The keys' bias adds the same to all scores of a query, which the
    softmax forgets: it is left out, and its gradient is 0.
    """

    @staticmethod
    def forward(ctx, x, setting, *tensors):  # noqa: ANN001, ANN205
        flags, num_heads, epsilon, layout, noise = setting
        kernels = specialised(
            "block_kernels", SIZE=x.shape[1], HEADS=num_heads, SINGLE=x.dtype == torch.float32
        )
        x = x.contiguous()
        out = torch.empty_like(x)
        spans, kind = layout.spans, x.numpy().dtype.type
        pairs = num_heads * spans.pairs
        units = [noise.units(n) if noise else NO_UNITS for n in (pairs, x.numel(), x.numel())]
        threshold, scale = (noise.threshold, noise.scale) if noise else (0, 1)
        weights = _weights(kernels, tensors, num_heads)
        saving = not torch.is_inference_mode_enabled()
        # At padding there is nothing to attend to, and nothing is attended.
        new = x.new_empty if layout.width is None else x.new_zeros
        planes, moments = new(kernels.PLANES, *x.shape).numpy(), x.new_empty(2, 2, len(x)).numpy()
        attention = x.new_empty(pairs if saving else 0).numpy()
        where = (spans.starts, spans.lengths, spans.triangles)
        run_parts(
            kernels.forward,
            *(x.numpy(), *weights, *flags, *where, *units, threshold, kind(scale)),
            *(kind(epsilon), planes, moments, attention, out.numpy()),
            edges=spans.edges,
        )
        ctx.save_for_backward(x, *tensors)
        ctx.setting = setting
        ctx.kept = kernels, weights, (units[2], threshold, kind(scale)), planes, moments, attention
        return out

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        x, *tensors = ctx.saved_tensors
        flags, num_heads, _, layout, _ = ctx.setting
        kernels, (matrices, _, norms), dropout, planes, moments, attention = ctx.kept
        ctx.kept = None  # free it at once
        spans, size = layout.spans, x.shape[1]
        of_x, parts = torch.empty_like(x), len(spans.edges) - 1
        new = x.new_empty if layout.width is None else x.new_zeros
        of_matrices = x.new_zeros(parts, kernels.MATRICES, size, size)
        of_biases = x.new_zeros(parts, kernels.MATRICES, size)
        of_norms = x.new_zeros(kernels.NORMS, parts, size)
        run_parts(
            kernels.backward,
            *(gradient.contiguous().numpy(), x.numpy(), matrices, norms, *flags),
            *(spans.starts, spans.lengths, spans.triangles, *dropout, planes, moments, attention),
            *(new(kernels.SCRATCH, *x.shape).numpy(), of_x.numpy()),
            *(of_matrices.numpy(), of_biases.numpy(), of_norms.numpy()),
            edges=spans.edges,
        )
        sums = of_matrices.sum(0), of_biases.sum(0), of_norms.sum(1)
        return of_x, None, *_gradients(kernels, sums, tensors, num_heads)


def _weights(kernels, tensors: tuple[Tensor, ...], num_heads: int) -> tuple[np.ndarray, ...]:  # noqa: ANN001
    """Matrices, biases and norms as the kernels want them; queries are scaled by 1 / sqrt(d).

    With one head the keys' weights are taken in: (x W_q + b_q) (c W_k)^T, with W_q and W_k applied
    from the right, is (x W_q W_k^T + b_q W_k^T) c^T, so that the context itself serves as keys.
    """
    arrays = [tensor.detach().numpy() for tensor in tensors]
    norm1, norm1_bias, w_q, b_q, w_k, _, w_v, b_v, w_p, b_p, norm2, norm2_bias, *inner_outer = arrays
    scale = b_q.dtype.type(math.sqrt(num_heads / len(b_q)))
    if num_heads == 1:
        w_q, b_q = w_k.T @ w_q, b_q @ w_k
    matrices = np.zeros((kernels.MATRICES, *w_q.shape), w_q.dtype)
    biases = np.zeros((kernels.MATRICES, len(b_q)), w_q.dtype)
    np.multiply(w_q, scale, out=matrices[kernels.QUERY])
    np.multiply(b_q, scale, out=biases[kernels.QUERY])
    matrices[kernels.KEY], matrices[kernels.VALUE], biases[kernels.VALUE] = w_k, w_v, b_v
    if len(w_p):
        matrices[kernels.PROJECTION], biases[kernels.PROJECTION] = w_p, b_p
    for name, weight, bias in zip(
        (kernels.INNER, kernels.OUTER), inner_outer[::2], inner_outer[1::2], strict=True
    ):
        matrices[name], biases[name] = weight, bias
    return matrices, biases, np.stack((norm1, norm1_bias, norm2, norm2_bias))


def _gradients(
    kernels,  # noqa: ANN001
    sums: tuple[Tensor, Tensor, Tensor],
    tensors: list[Tensor],
    num_heads: int,
) -> list[Tensor | None]:
    """Of the weights, in the order of `tensors`, from the kernels' sums."""
    k, (matrices, biases, norms) = kernels, sums
    _, _, w_q, b_q, w_k, b_k, _, _, w_p, *_ = tensors
    scale = math.sqrt(num_heads / len(b_q))
    of_w_q, of_b_q, of_w_k = matrices[k.QUERY] * scale, biases[k.QUERY] * scale, matrices[k.KEY]
    if num_heads == 1:
        of_w_k = torch.addr(w_q @ of_w_q.t(), b_q, of_b_q)
        of_w_q, of_b_q = w_k @ of_w_q, w_k @ of_b_q
    projection = (matrices[k.PROJECTION], biases[k.PROJECTION]) if len(w_p) else (None, None)
    return [
        *(norms[k.NORM1], norms[k.NORM1_BIAS], of_w_q, of_b_q, of_w_k, torch.zeros_like(b_k)),
        *(matrices[k.VALUE], biases[k.VALUE], *projection),
        *(norms[k.NORM2], norms[k.NORM2_BIAS]),
        *(matrices[k.INNER], biases[k.INNER], matrices[k.OUTER], biases[k.OUTER]),
    ]
