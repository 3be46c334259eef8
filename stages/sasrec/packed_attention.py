"""Attention with its projections on the CPU, with a gradient by hand.

Shapes: T slots in all, D hidden size, H heads, d = D / H; R rows of a group, W their width.

The formula is in attention.py.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from sasrec.layout import Group, Layout


class Weights(NamedTuple):
    """What the gradient of a block of queries needs, each [R H, queries, keys].

    Attributes:
        softmax: of the scores.
        keep: dropout's factors; None without.
        dropped: the product of both.
    """

    softmax: Tensor
    keep: Tensor | None
    dropped: Tensor


class PackedAttention(torch.autograd.Function):
    """The formula, with the few passes over [T, D] and [R H, W, W] that it needs.

    Torch's fused kernel for the CPU knows no dropout, and autograd over the plain formula makes
    about twice as many passes. Queries are taken in blocks so that a block meets only the keys
    up to its own end: with four blocks 5/8 of the square is computed. The keys' bias adds the
    same to all scores of a query, which the softmax forgets: it is left out, and its gradient is 0.
    """

    @staticmethod
    def forward(ctx, x, context, w_q, b_q, w_k, b_k, w_v, b_v, layout, num_heads, noise):  # noqa: ANN001, ANN205
        weight, bias = _query_projection(w_q, b_q, w_k, num_heads)
        query = torch.addmm(bias, x, weight.t())
        key = context if num_heads == 1 else context @ w_k.t()
        value = torch.addmm(b_v, context, w_v.t())
        output = torch.empty_like(query)
        saved = []
        for group, span, mask in _groups(layout, num_heads, query.dtype):
            q, k, v = (_split(part[span], group, num_heads) for part in (query, key, value))
            out = _split(output[span], group, num_heads)
            for start, stop in _blocks(group):
                keys = _part(k, 0, stop).transpose(1, 2)
                scores = torch.baddbmm(mask[..., start:stop, :stop], _part(q, start, stop), keys)
                weights = scores.softmax(-1)
                keep = noise.keep(*weights.shape).to(weights.dtype) if noise else None
                dropped = weights if keep is None else weights * keep
                if stop - start == group.width:
                    torch.bmm(dropped, v, out=out)
                else:
                    out[:, start:stop] = torch.bmm(dropped, _part(v, 0, stop))
                if not torch.is_inference_mode_enabled():
                    saved.append(Weights(weights, keep, dropped))
            _join_(output[span], out, group, num_heads)
        ctx.settings = (layout, num_heads)
        ctx.weights = saved
        ctx.save_for_backward(x, context, w_q, b_q, w_k, w_v, weight, query, key, value)
        return output

    @staticmethod
    def backward(ctx, grad_output):  # noqa: ANN001, ANN205
        x, context, w_q, b_q, w_k, w_v, weight, *inputs = ctx.saved_tensors
        inputs.append(grad_output.contiguous())
        layout, num_heads = ctx.settings
        of_query, of_key, of_value = (torch.empty_like(grad_output) for _ in range(3))
        saved = iter(reversed(ctx.weights))
        for group, span, _ in reversed(_groups(layout, num_heads, grad_output.dtype)):
            parts = [_split(part[span], group, num_heads) for part in inputs]
            grads = [_split(of[span], group, num_heads) for of in (of_query, of_key, of_value)]
            for block in reversed(_blocks(group)):
                _add_block(parts, grads, block, next(saved))
            for of, part in zip((of_query, of_key, of_value), grads, strict=True):
                _join_(of[span], part, group, num_heads)
        ctx.weights = None  # free the [R H, W, W] arrays at once
        of_w_q, of_b_q, of_w_k = _of_query_projection(
            of_query.t() @ x, of_query.sum(0), w_q, b_q, w_k, num_heads
        )
        of_context = of_key
        if num_heads > 1:
            of_w_k, of_context = of_key.t() @ context, of_key @ w_k
        return (
            of_query @ weight,
            of_context.addmm_(of_value, w_v),
            *(of_w_q, of_b_q),
            *(of_w_k, torch.zeros_like(b_q)),
            *(of_value.t() @ context, of_value.sum(0)),
            *(None, None, None),
        )


def _query_projection(
    w_q: Tensor, b_q: Tensor, w_k: Tensor, num_heads: int
) -> tuple[Tensor, Tensor]:
    """The weight [D, D] and bias [D] that make queries, scaled by 1 / sqrt(d), of inputs.

    With one head the keys' weights are taken in: (x W_q + b_q) (c W_k)^T, with W_q and W_k applied
    from the right, is (x W_q W_k^T + b_q W_k^T) c^T, so that the context itself serves as keys.
    """
    scale = math.sqrt(num_heads / len(b_q))
    if num_heads == 1:
        return (w_k.t() @ w_q).mul_(scale), (b_q @ w_k).mul_(scale)
    return w_q * scale, b_q * scale


def _of_query_projection(
    of_weight: Tensor, of_bias: Tensor, w_q: Tensor, b_q: Tensor, w_k: Tensor, num_heads: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The gradients of w_q, b_q and w_k by way of `_query_projection`, from those of its results.

    `of_weight` and `of_bias` are overwritten.
    """
    scale = math.sqrt(num_heads / len(b_q))
    of_weight.mul_(scale), of_bias.mul_(scale)
    if num_heads == 1:
        of_w_k = torch.addr(w_q @ of_weight.t(), b_q, of_bias)
        return w_k @ of_weight, w_k @ of_bias, of_w_k
    return of_weight, of_bias, None


def _add_block(
    inputs: Sequence[Tensor], grads: Sequence[Tensor], block: tuple[int, int], saved: Weights
) -> None:
    """The gradients of one block of queries.

    Args:
        inputs: q, k, v and the gradient of the output, each [R H, W, d].
        grads: of q, k, v, likewise; filled from the last block to the first.
    """
    (start, stop), (weights, keep, dropped) = block, saved
    q, k, v, grad = inputs
    of_q, of_k, of_v = grads
    grad = _part(grad, start, stop)
    of_weights = torch.bmm(grad, _part(v, 0, stop).transpose(1, 2))
    if keep is not None:
        of_weights.mul_(keep)
    of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
    if stop - start == q.shape[1]:
        torch.bmm(of_scores, k, out=of_q)
        torch.bmm(of_scores.transpose(1, 2), q, out=of_k)
        torch.bmm(dropped.transpose(1, 2), grad, out=of_v)
        return
    of_q[:, start:stop] = torch.bmm(of_scores, _part(k, 0, stop))
    of_keys = torch.bmm(of_scores.transpose(1, 2), _part(q, start, stop))
    of_values = torch.bmm(dropped.transpose(1, 2), grad)
    if stop == q.shape[1]:  # the last block sees every key: nothing to add to yet
        of_k[:], of_v[:] = of_keys, of_values
    else:
        of_k[:, :stop] += of_keys
        of_v[:, :stop] += of_values


def _groups(
    layout: Layout, num_heads: int, dtype: torch.dtype
) -> list[tuple[Group, slice, Tensor]]:
    """Each group with its slots and its mask, [W, W] or [R H, W, W]."""
    groups, slot = [], 0
    for group, mask in zip(layout.groups, layout.masks, strict=True):
        if mask.ndim == 3 and num_heads > 1:
            mask = mask.repeat_interleave(num_heads, 0)
        groups.append((group, slice(slot, slot + group.slots), mask.to(dtype)))
        slot += group.slots
    return groups


def _part(x: Tensor, start: int, stop: int) -> Tensor:
    """Positions of [R H, W, d]: `x` itself where they are all, which saves a call."""
    return x if stop - start == x.shape[1] else x[:, start:stop]


def _blocks(group: Group) -> list[tuple[int, int]]:
    """Query blocks (start, stop): up to four, fewer where little work would be saved."""
    count = max(1, min(4, group.width, group.rows * group.width**2 // 50_000))
    edges = [group.width * part // count for part in range(count + 1)]
    return list(pairwise(edges))


def _split(x: Tensor, group: Group, num_heads: int) -> Tensor:
    """[R W, D] as [R H, W, d]: a view of `x` when there is one head, else a copy."""
    if num_heads == 1:
        return x.view(group.rows, group.width, -1)
    heads = x.view(group.rows, group.width, num_heads, -1).transpose(1, 2)
    return heads.clone(memory_format=torch.contiguous_format).flatten(0, 1)


def _join_(whole: Tensor, x: Tensor, group: Group, num_heads: int) -> None:
    """Put what `_split` gave back into `whole`; a view of it is there already."""
    if num_heads > 1:
        heads = x.view(group.rows, num_heads, group.width, -1)
        whole.view(group.rows, group.width, num_heads, -1).copy_(heads.transpose(1, 2))
