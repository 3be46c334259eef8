"""Causal attention over groups of equally long sequences.

Shapes: T slots in all, D hidden size, H heads, R rows (sequences) of a group, L its length.

A batch is a list of groups [R, L] laid end to end along one axis of T slots (see batches.py).
Sequences begin at the left of their row, so the causal mask alone keeps every real position from
seeing padding. The formula, for each sequence and head (paper, equations 2 and 3):

    A = dropout(softmax(Q K^T / sqrt(D / H) + causal mask)) V

`attend` computes it by `_GroupedAttention` on the CPU, and by torch's fused kernel elsewhere.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from sasrec.noise import Noise

Group = tuple[int, int]  # rows, length


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    groups: Sequence[Group],
    num_heads: int,
    noise: Noise | None,
) -> Tensor:
    """Causal attention, each of query, key, value and the result of shape [T, D].

    Args:
        groups: (rows, length) of each group; the slots of all add up to T.
        num_heads: H, a divisor of D.
        noise: dropout of the attention weights; None outside training.
    """
    assert sum(rows * length for rows, length in groups) == len(query), (groups, query.shape)
    if query.device.type == "cpu" and not torch.compiler.is_compiling():
        return _GroupedAttention.apply(query, key, value, tuple(groups), num_heads, noise)
    return _fused_attention(query, key, value, groups, num_heads, noise)


def attend_last(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    groups: Sequence[Group],
    last: Tensor,
    num_heads: int,
) -> Tensor:
    """Attention of the last position of each sequence only, without dropout.

    Args:
        query: [B, D], one a sequence; key, value: [T, D].
        last: int64 [B], the index in its row of each sequence's last position.

    Returns: [B, D].
    """
    outputs = []
    row, slot = 0, 0
    for rows, length in groups:
        # [R, H, 1, D/H] against [R, H, L, D/H]
        q = query[row : row + rows].view(rows, num_heads, 1, -1)
        k = _heads(key[slot : slot + rows * length], rows, length, num_heads)
        v = _heads(value[slot : slot + rows * length], rows, length, num_heads)
        hidden = torch.arange(length, device=query.device) > last[row : row + rows, None]
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
        scores = scores.masked_fill(hidden[:, None, None], -math.inf)
        outputs.append((scores.softmax(-1) @ v).reshape(rows, -1))
        row, slot = row + rows, slot + rows * length
    return torch.cat(outputs)


def _heads(x: Tensor, rows: int, length: int, num_heads: int) -> Tensor:
    """[R L, D] seen as [R, H, L, D / H]."""
    return x.view(rows, length, num_heads, -1).transpose(1, 2)


def _fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    groups: Sequence[Group],
    num_heads: int,
    noise: Noise | None,
) -> Tensor:
    outputs = []
    slots = [rows * length for rows, length in groups]
    parts = zip(groups, query.split(slots), key.split(slots), value.split(slots), strict=True)
    for (rows, length), q, k, v in parts:
        attended = functional.scaled_dot_product_attention(
            *(_heads(x, rows, length, num_heads) for x in (q, k, v)),
            is_causal=True,
            dropout_p=noise.rate if noise else 0.0,
        )
        outputs.append(attended.transpose(1, 2).reshape(rows * length, -1))
    return torch.cat(outputs) if len(outputs) > 1 else outputs[0]


class _GroupedAttention(torch.autograd.Function):
    """The formula above, with the few passes over [R H, L, L] that it needs.

    Torch's fused kernel for the CPU knows no dropout, and autograd over the plain formula makes
    about twice as many passes. Queries are taken in blocks so that a block meets only the keys
    up to its own end: with four blocks 5/8 of the square is computed. The scale of dropout is
    applied to [.., L, D] instead of [.., L, L].
    """

    @staticmethod
    def forward(ctx, query, key, value, groups, num_heads, noise):  # noqa: ANN001, ANN205
        output = torch.empty_like(query)
        mask = _causal_mask(max(length for _, length in groups), query)
        saved = []
        for span, rows, length in _spans(groups):
            q, k, v = (_split(x[span], rows, length, num_heads) for x in (query, key, value))
            out = _split(output[span], rows, length, num_heads)
            for start, stop in _blocks(rows, length):
                weights = _weights(q[:, start:stop], k[:, :stop], mask[start:stop, :stop])
                keep, dropped = None, weights
                if noise:
                    keep = noise.keep(*weights.shape)
                    dropped = keep.to(weights.dtype).mul_(weights)
                attended = torch.bmm(dropped, v[:, :stop])
                out[:, start:stop] = attended.mul_(noise.scale) if noise else attended
                saved.append((weights, keep))
            _join_(output[span], out, num_heads)
        ctx.settings = (groups, num_heads, noise)
        ctx.weights = saved
        ctx.save_for_backward(query, key, value)
        return output

    @staticmethod
    def backward(ctx, grad_output):  # noqa: ANN001, ANN205
        inputs = (*ctx.saved_tensors, grad_output.contiguous())
        groups, num_heads, noise = ctx.settings
        grads = tuple(torch.empty_like(inputs[0]) for _ in range(3))
        saved = iter(reversed(ctx.weights))
        for span, rows, length in reversed(_spans(groups)):
            q, k, v, grad = (_split(x[span], rows, length, num_heads) for x in inputs)
            grad_q, grad_k, grad_v = (_split(x[span], rows, length, num_heads) for x in grads)
            scale = 1 / math.sqrt(q.shape[-1])
            for start, stop in reversed(_blocks(rows, length)):
                weights, keep = next(saved)
                out = grad[:, start:stop]
                dropped = weights
                if noise:
                    out = out * noise.scale
                grad_weights = torch.bmm(out, v[:, :stop].transpose(1, 2))
                if noise:
                    dropped = keep.to(weights.dtype)
                    grad_weights.mul_(dropped)
                    dropped.mul_(weights)
                grad_scores = torch.ops.aten._softmax_backward_data(
                    grad_weights, weights, -1, weights.dtype
                )
                grad_q[:, start:stop] = torch.bmm(grad_scores, k[:, :stop]).mul_(scale)
                grad_keys = torch.bmm(grad_scores.transpose(1, 2), q[:, start:stop] * scale)
                grad_values = torch.bmm(dropped.transpose(1, 2), out)
                if stop == length:  # the last block sees every key: nothing to add to yet
                    grad_k[:], grad_v[:] = grad_keys, grad_values
                else:
                    grad_k[:, :stop] += grad_keys
                    grad_v[:, :stop] += grad_values
            for whole, part in zip(grads, (grad_q, grad_k, grad_v), strict=True):
                _join_(whole[span], part, num_heads)
        ctx.weights = None  # free the [R H, L, L] arrays at once
        return *grads, None, None, None


def _causal_mask(length: int, like: Tensor) -> Tensor:
    """[L, L], to be added to scores: 0 where a query (row) may see a key, -inf after it."""
    return torch.full((length, length), -math.inf, dtype=like.dtype).triu_(1)


def _weights(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    """softmax(Q K^T / sqrt(d) + mask): [R H, queries, keys]."""
    scale = 1 / math.sqrt(query.shape[-1])
    return torch.baddbmm(mask, query, key.transpose(1, 2), alpha=scale).softmax(-1)


def _spans(groups: Sequence[Group]) -> list[tuple[slice, int, int]]:
    spans, slot = [], 0
    for rows, length in groups:
        spans.append((slice(slot, slot + rows * length), rows, length))
        slot += rows * length
    return spans


def _blocks(rows: int, length: int) -> list[tuple[int, int]]:
    """Query blocks (start, stop): up to four, fewer where little work would be saved."""
    count = max(1, min(4, length, rows * length * length // 50_000))
    edges = [length * part // count for part in range(count + 1)]
    return list(pairwise(edges))


def _split(x: Tensor, rows: int, length: int, num_heads: int) -> Tensor:
    """[R L, D] as [R H, L, D / H]: a view of `x` when there is one head, else a copy."""
    if num_heads == 1:
        return x.view(rows, length, -1)
    apart = _heads(x, rows, length, num_heads).clone(memory_format=torch.contiguous_format)
    return apart.view(rows * num_heads, length, -1)


def _join_(whole: Tensor, x: Tensor, num_heads: int) -> None:
    """Put what `_split` gave back into `whole`; a view of it is there already."""
    if num_heads > 1:
        rows, length = x.shape[0] // num_heads, x.shape[1]
        _heads(whole, rows, length, num_heads).copy_(x.view(rows, num_heads, length, -1))
