"""Dropout's random bits: their rate, their scale, their seed, their shape."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sasrec.model import dropout as module
from sasrec.model.dropout import POOL, Dropout

RATES = [0.5, 0.2, 0.1, 0.001, 0.9]


@pytest.mark.parametrize("rate", RATES)
def test_units_are_dropped_at_the_rate(rate):
    count = 400_009
    dropped = int((Dropout(rate, 11)(torch.ones(count)) == 0).sum())
    # Within five standard deviations, beside the one per cent that rounding may cost.
    deviation = math.sqrt(count * rate * (1 - rate))
    assert abs(dropped - count * rate) < 5 * deviation + 0.01 * rate * count


@pytest.mark.parametrize(
    ("rate", "scale"),
    [
        (0.5, 2.0),  # 128 of 256 bytes are kept
        (0.25, 256 / 192),
        (0.2, 256 / 205),  # 51.2 rounds to 51: off by 0.4 per cent
        (0.1, 65536 / (65536 - 6554)),  # 26 / 256 would be off by 1.6 per cent: two bytes
        (0.001, 65536 / (65536 - 66)),
    ],
)
def test_the_scale_is_one_over_the_exact_chance(rate, scale):
    values = set(Dropout(rate, 1)(torch.ones(10_007)).tolist())
    assert values == {0.0, torch.tensor(scale, dtype=torch.float32).item()}


class EveryValue:
    """Random bits that take every value of a type once."""

    def __init__(self, unit: type) -> None:
        self.values = np.arange(np.iinfo(unit).max + 1).astype(unit).view(np.uint64)

    def random_raw(self, words: int) -> np.ndarray:
        assert words == len(self.values)
        return self.values


@pytest.mark.parametrize(("rate", "unit"), [(0.5, np.uint8), (0.2, np.uint8), (0.1, np.uint16)])
def test_the_mean_over_all_values_is_exact(rate, unit, monkeypatch):
    dropout = Dropout(rate, 1)
    dropout._bits = EveryValue(unit)
    monkeypatch.setattr(module, "POOL", 1)
    ones = torch.ones(np.iinfo(unit).max + 1, dtype=torch.float64)
    assert dropout(ones).mean().item() == pytest.approx(1, rel=1e-7)


@pytest.mark.parametrize("rate", RATES)
def test_dropout_keeps_the_mean(rate):
    count = 400_009
    mean = Dropout(rate, 13)(torch.ones(count, dtype=torch.float64)).mean().item()
    assert abs(mean - 1) < 5 * math.sqrt(1.02 * rate / (1 - rate) / count)


@given(
    shape=st.lists(st.integers(0, 7), max_size=4),
    rate=st.sampled_from([0.1, 0.2, 0.5]),
    seed=st.integers(0, 2**63),
)
def test_any_shape_and_the_same_bits_after_reseeding(shape, rate, seed):
    dropout = Dropout(rate, seed, 3)
    first = dropout(torch.ones(shape))
    assert first.shape == torch.Size(shape)
    assert first.dtype == torch.float32
    dropout.reseed(seed, 3)
    assert torch.equal(dropout(torch.ones(shape)), first)


@given(counts=st.lists(st.integers(0, 40), max_size=9), rate=st.sampled_from([0.1, 0.5]))
def test_masks_are_cut_off_one_stream_and_stay_as_they_are(counts, rate):
    # A pool of 32 units; a mask that the rest of it cannot hold takes a new one, a larger its own.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "POOL", 32)
        dropout, stream = Dropout(rate, 7), Dropout(rate, 7)
        masks = [dropout.units(count) for count in counts]
    expected, pool, used = [], np.empty(0), 0
    for count in counts:
        if used + count > len(pool):
            pool, used = stream._draw(max(count, 32)), 0
        expected.append(pool[used : used + count].tolist())
        used += count
    assert [mask.tolist() for mask in masks] == expected


def test_no_unit_is_given_twice():
    # Were the pool or its bits given again, two of these masks would agree at every place.
    dropout = Dropout(0.5, 3)
    masks = [dropout(torch.ones(1009)) for _ in range(2 * POOL // 1009)]
    assert len({tuple(mask.tolist()) for mask in masks}) == len(masks)


def test_different_seeds_and_different_calls_differ():
    dropout = Dropout(0.5, 1, 2)
    masks = [dropout(torch.ones(1009)), dropout(torch.ones(1009))]
    masks += [Dropout(0.5, *seed)(torch.ones(1009)) for seed in [(1, 3), (2, 1), (1,)]]
    for i, one in enumerate(masks):
        for other in masks[:i]:
            # Independent halves agree at half of the places.
            assert abs((one == other).sum().item() - 504.5) < 5 * math.sqrt(1009 / 4)


def test_neighbours_are_independent():
    keep = Dropout(0.5, 19)(torch.ones(100_003)).bool()
    for distance in (1, 2, 4, 8):
        agree = (keep[distance:] == keep[:-distance]).sum().item()
        assert abs(agree - 50_000) < 5 * math.sqrt(100_003 / 4), distance


def test_dropout_touches_no_global_generator():
    torch.manual_seed(2)
    before = torch.get_rng_state()
    Dropout(0.5, 1)(torch.ones(7, 3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_values_and_gradients_are_those_of_the_mask(dtype):
    x = torch.full((5, 3), 3.0, dtype=dtype, requires_grad=True)
    y = Dropout(0.5, 23)(x)
    y.sum().backward()
    keep = Dropout(0.5, 23)(torch.ones(5, 3))
    assert y.dtype == dtype
    assert y.tolist() == (keep * 3.0).tolist()
    assert x.grad.tolist() == keep.tolist()


def test_rate_0_changes_nothing():
    x = torch.randn(5, 3)
    assert Dropout(0.0, 1)(x) is x


@pytest.mark.parametrize("rate", [1.0, -0.1, math.nan])
def test_a_rate_that_is_no_chance(rate):
    with pytest.raises(AssertionError):
        Dropout(rate, 1)
