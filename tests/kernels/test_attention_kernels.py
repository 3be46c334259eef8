"""Attention's compiled loops against the plain formula: values, gradients, dropout, any lengths."""

import numpy as np
import pytest
import torch
from gradient_checks import CLOSE, randoms
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy_attention import plain

from sasrec.batching.layout import Layout, lay_out_fixed, lay_out_packed
from sasrec.kernels.loops.attention import attend, attend_backward
from sasrec.kernels.loops.exponential import exp_single
from sasrec.kernels.parts import compiled, run_parts
from sasrec.kernels.spans import spans_of

SIZE = 6


@compiled
def forward(*arguments):
    """`attend` as a kernel."""
    attend(*arguments[:-3], *arguments[-2:])


@compiled
def backward(*arguments):
    attend_backward(*arguments[:-3], *arguments[-2:])


class Loops:
    """The kernels as functions of tensors; the same for float32 and float64."""

    def __init__(self, num_heads: int, dtype: torch.dtype = torch.float64) -> None:
        self.num_heads, self.dtype = num_heads, dtype

    def forward(self, layout: Layout, parts, units=None, threshold=0, scale=1.0):
        """The output, 0 at padding, and the kept weights."""
        spans, out = spans_of(layout), torch.zeros_like(parts[0])
        self.weights = torch.zeros(self.num_heads * spans.pairs, dtype=self.dtype)
        self.scale = scale
        units = np.empty(0, np.uint8) if units is None else units
        scaled = parts[0] * (self.num_heads / SIZE) ** 0.5
        self.parts = [part.detach().contiguous().numpy() for part in (scaled, *parts[1:])]
        run_parts(
            forward,
            *(*self.parts, self.num_heads, spans, units, threshold, scale),
            *(out.detach().numpy(), self.weights.numpy()),
            edges=spans.edges,
        )
        return out

    def backward(self, layout: Layout, gradient):
        found = [torch.zeros_like(gradient) for _ in range(3)]
        spans = spans_of(layout)
        run_parts(
            backward,
            *(*self.parts, self.num_heads, spans, self.weights.numpy(), self.scale),
            *(gradient.numpy(), *(part.numpy() for part in found)),
            edges=spans.edges,
        )
        found[0] *= (self.num_heads / SIZE) ** 0.5
        return found


def toy_layout(lengths, width=None):
    lengths = np.array(lengths)
    if width is None:
        return lay_out_packed(lengths)
    return lay_out_fixed(torch.from_numpy(lengths), width)


def assert_plain(lengths, num_heads, width=None, rate=0, dtype=torch.float64, **close):
    layout, loops = toy_layout(lengths, width), Loops(num_heads, dtype)
    parts = randoms(*[(len(layout.real), SIZE)] * 3, dtype=dtype)
    threshold, scale, units, factors = round(256 * rate), 1.0, None, None
    if rate:
        scale = 256 / (256 - threshold)
        count = num_heads * spans_of(layout).pairs
        units = np.random.default_rng(5).integers(0, 256, count, np.uint8)
        factors = torch.from_numpy((units >= threshold) * scale).to(dtype)
    out = loops.forward(layout, parts, units, threshold, scale)
    expected = plain(layout, parts, num_heads, factors)
    torch.testing.assert_close(out[layout.real], expected, **(close or CLOSE))
    assert not out[~layout.real].any()

    toward = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=dtype)
    wanted = torch.autograd.grad(expected, parts, toward[layout.real])
    for mine, theirs in zip(loops.backward(layout, toward), wanted, strict=True):
        torch.testing.assert_close(mine, theirs, **(close or CLOSE))


@pytest.mark.parametrize("rate", [0, 0.25, 0.5])
@pytest.mark.parametrize("num_heads", [1, 2, 6])
@pytest.mark.parametrize("width", [None, 23])
def test_values_and_gradients_are_the_formulas(num_heads, rate, width):
    assert_plain([7, 1, 16, 17, 2, 23], num_heads, width, rate)


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6), rate=st.sampled_from([0, 0.5]))
@example(lengths=list(range(1, 40)), rate=0.5)
def test_any_lengths(lengths, rate):
    assert_plain(lengths, 2, rate=rate)


def test_shared_by_threads(two_threads):
    lengths = [33, 40] * 10
    assert len(spans_of(toy_layout(lengths)).edges) == 3
    assert_plain(lengths, 1, rate=0.5)


def test_single_precision():
    assert_plain([40, 3, 17], 1, rate=0.25, dtype=torch.float32, rtol=1e-5, atol=1e-5)


def test_the_polynomial_is_the_exponential():
    # A query of two keys with scores 0 and x has the weights 1 / (1 + e^x) and the rest.
    exponential = compiled(exp_single)
    x = np.concatenate([-np.logspace(-6, 2, 1000), [0.0]]).astype(np.float32)
    e = np.exp(x.astype(np.float64))
    got = np.array([exponential(value) for value in x])
    np.testing.assert_allclose(got[x > -87], e[x > -87], rtol=3e-7)
    assert (got[x <= -87] < 2e-38).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_far_apart_neither_overflow_nor_vanish(dtype):
    layout, loops = toy_layout([2]), Loops(1, dtype)
    query = torch.zeros(2, SIZE, dtype=dtype)
    query[:, 0] = torch.tensor([1.0, 1000.0])
    key = torch.zeros(2, SIZE, dtype=dtype)
    key[:, 0] = torch.tensor([1.0, -1000.0])
    value = torch.tensor([[2.0] * SIZE, [3.0] * SIZE], dtype=dtype)
    assert loops.forward(layout, (query, key, value)).tolist() == [[2.0] * SIZE] * 2
    of_query, of_key, _ = loops.backward(layout, torch.ones(2, SIZE, dtype=dtype))
    # In single precision the least power is e^-87.
    assert of_query.abs().max() < 1e-30
    assert of_key.abs().max() < 1e-30


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [5, 20])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_what_is_not_a_number_shows(dtype, length, where):
    parts = randoms(*[(length, SIZE)] * 3, dtype=dtype)
    with torch.no_grad():
        parts[where][2] = torch.nan
    out = Loops(1, dtype).forward(toy_layout([length]), parts)
    assert out[slice(2, 3) if where == 0 else slice(2, None)].isnan().all()
