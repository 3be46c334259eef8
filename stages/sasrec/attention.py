"""Causal attention within the sequences of a batch.

Shapes: T slots in all, D hidden size, H heads, d = D / H; R rows of a group, W their width.

A batch is a few groups of rows [R, W] that lie end to end along one axis of T slots, and a row
holds several sequences side by side (see layout.py). The formula (paper, equations 2 and 3):

    A = dropout(softmax(Q K^T / sqrt(d) + mask)) V

for each row and head, where the mask hides later positions and other sequences. `attend` computes
it by `_PackedAttention` on the CPU, and by torch's fused kernel elsewhere.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sasrec.gradients import by_hand
from sasrec.layout import Group, Layout
from sasrec.noise import Noise


class Projections(NamedTuple):
    """What makes queries, keys and values out of a layer's inputs, each [D, D] and [D]."""

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear


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


def attend(
    x: Tensor,
    context: Tensor,
    projections: Projections,
    layout: Layout,
    *,
    num_heads: int,
    noise: Noise | None,
) -> Tensor:
    """Causal attention with queries of `x`, keys and values of `context`; all [T, D].

    Args:
        num_heads: H, a divisor of D.
        noise: dropout of the attention weights; None outside training.
    """
    assert len(layout.real) == len(x) == len(context), (layout.groups, x.shape, context.shape)
    if by_hand(x):
        weights = (tensor for linear in projections for tensor in (linear.weight, linear.bias))
        return _PackedAttention.apply(x, context, *weights, layout, num_heads, noise)
    query, key, value = projections.query(x), projections.key(context), projections.value(context)
    return _fused_attention(query, key, value, layout, num_heads, noise)


def attend_last(
    x: Tensor, context: Tensor, projections: Projections, layout: Layout, *, num_heads: int
) -> Tensor:
    """Attention of the latest position of each sequence only, without dropout.

    Keys and values of all positions are not needed: a score q (W c + b) is (q W) c, beside what
    is the same for all keys of a softmax, and a sum of values is a value of the sum.

    Args:
        x: [B, D], what queries are made of, one a sequence.
        context: [T, D], what keys and values are made of.

    Returns: [B, D].
    """
    size = x.shape[1] // num_heads
    by_head = projections.query(x).view(-1, num_heads, size) / math.sqrt(size)
    w_k, w_v = (
        linear.weight.view(num_heads, size, -1) for linear in (projections.key, projections.value)
    )
    queries = torch.einsum("bhd,hdc->bhc", by_head, w_k)  # [B, H, D]
    outputs = []
    first, slot = 0, 0
    for group, owners in zip(layout.groups, layout.owners, strict=True):
        # The group's sequences, by row and place in the row, as queries [R, M, H, D].
        stop = first + int((layout.last_slots[first:] < slot + group.slots).sum())
        members = torch.arange(first, stop, device=x.device)
        row = (layout.last_slots[first:stop] - slot) // group.width
        place = members - first - torch.searchsorted(row, row)
        asked = queries.new_zeros(group.rows, group.most, *queries.shape[1:])
        asked[row, place] = queries[first:stop]
        asking = owners.new_full((group.rows, group.most), -2)
        asking[row, place] = members.to(asking.dtype)

        keys = context[slot : slot + group.slots].view(group.rows, group.width, -1)
        scores = (asked.flatten(1, 2) @ keys.transpose(1, 2)).unflatten(1, (group.most, num_heads))
        hidden = asking[:, :, None, None] != owners[:, None, None, :]
        weights = scores.masked_fill_(hidden, -math.inf).softmax(-1)
        attended = (weights.flatten(1, 2) @ keys).unflatten(1, (group.most, num_heads))
        outputs.append(attended[row, place])
        first, slot = stop, slot + group.slots
    values = torch.einsum("bhc,hdc->bhd", torch.cat(outputs), w_v)
    return values.flatten(1) + projections.value.bias


def _fused_attention(
    query: Tensor, key: Tensor, value: Tensor, layout: Layout, num_heads: int, noise: Noise | None
) -> Tensor:
    outputs = []
    slots = [group.slots for group in layout.groups]
    parts = zip(
        layout.groups, query.split(slots), key.split(slots), value.split(slots), strict=True
    )
    for index, (group, *qkv) in enumerate(parts):
        attended = functional.scaled_dot_product_attention(
            *(x.view(group.rows, group.width, num_heads, -1).transpose(1, 2) for x in qkv),
            attn_mask=None if group.most == 1 else layout.masks[index][:, None].to(query.dtype),
            is_causal=group.most == 1,
            dropout_p=noise.rate if noise else 0.0,
        )
        outputs.append(attended.transpose(1, 2).reshape(group.slots, -1))
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


class _PackedAttention(torch.autograd.Function):
    """The formula above, with the few passes over [R H, W, W] that it needs.

    Torch's fused kernel for the CPU knows no dropout, and autograd over the plain formula makes
    about twice as many passes. Queries are taken in blocks so that a block meets only the keys
    up to its own end: with four blocks 5/8 of the square is computed.
    """

    @staticmethod
    def forward(ctx, x, context, w_q, b_q, w_k, b_k, w_v, b_v, layout, num_heads, noise):  # noqa: ANN001, ANN205
        scale = math.sqrt(num_heads / len(b_q))  # 1 / sqrt(d), of all scores at once
        query = torch.addmm(b_q, x, w_q.t(), beta=scale, alpha=scale)
        key = torch.addmm(b_k, context, w_k.t())
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
                saved.append(Weights(weights, keep, dropped))
            _join_(output[span], out, group, num_heads)
        ctx.settings = (layout, num_heads, scale)
        ctx.weights = saved
        ctx.save_for_backward(x, context, w_q, w_k, w_v, query, key, value)
        return output

    @staticmethod
    def backward(ctx, grad_output):  # noqa: ANN001, ANN205
        x, context, w_q, w_k, w_v, *inputs = ctx.saved_tensors
        inputs.append(grad_output.contiguous())
        layout, num_heads, scale = ctx.settings
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
        of_query.mul_(scale)
        return (
            of_query @ w_q,
            torch.addmm(of_key @ w_k, of_value, w_v),
            *(of_query.t() @ x, of_query.sum(0)),
            *(of_key.t() @ context, of_key.sum(0)),
            *(of_value.t() @ context, of_value.sum(0)),
            *(None, None, None),
        )


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
