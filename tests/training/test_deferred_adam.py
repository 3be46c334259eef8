"""Adam by the rows that a step reads, against torch's Adam over all of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sasrec.training.deferred_adam import DeferredAdam, _endless_sums

BETAS = (0.9, 0.98)
RATE = 0.01


def pair(rows, seed, dtype=torch.float64, betas=BETAS):
    """A deferred and a dense optimizer of equal embeddings [rows, 5]."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(rows, 5, generator=generator, dtype=dtype)
    deferred = DeferredAdam(nn.Parameter(start.clone()), learning_rate=RATE, betas=betas)
    dense = torch.optim.Adam([nn.Parameter(start.clone())], lr=RATE, betas=betas)
    return deferred, dense, generator


def both_step(deferred, dense, ids, gradients):
    (whole,) = dense.param_groups[0]["params"]
    deferred.read(ids)
    distance = difference(deferred, dense, ids)
    deferred.weight.grad[ids] = gradients
    deferred.step()
    whole.grad = torch.zeros_like(whole)
    whole.grad[ids] = gradients
    dense.step()
    return distance


def difference(deferred, dense, ids=slice(None)):
    (whole,) = dense.param_groups[0]["params"]
    return (deferred.weight[ids] - whole[ids]).abs().max().item() if len(whole[ids]) else 0.0


@settings(max_examples=200)
@given(
    steps=st.lists(st.sets(st.integers(0, 7)), min_size=1, max_size=60),
    seed=st.integers(0, 1000),
    beta1=st.sampled_from([0.5, 0.9]),
)
def test_what_a_step_reads_is_what_adam_over_all_rows_has(steps, seed, beta1):
    deferred, dense, generator = pair(8, seed, betas=(beta1, 0.98))
    for read in steps:
        ids = torch.tensor(sorted(read), dtype=torch.int64)
        signs = torch.randn(len(ids), 5, generator=generator, dtype=torch.float64).sign()
        sizes = torch.rand(len(ids), 5, generator=generator, dtype=torch.float64) + 0.1
        gradients, scale = signs * sizes, 10.0 ** -(4 * torch.rand((), generator=generator))
        assert both_step(deferred, dense, ids, gradients * scale) < 1e-4 * RATE
        assert not deferred.weight.grad.any()
    deferred.catch_up()
    assert difference(deferred, dense) < 1e-4 * RATE


def test_thousands_of_steps_in_single_precision():
    deferred, dense, generator = pair(30, seed=5, dtype=torch.float32)
    for step in range(3000):
        ids = torch.randperm(30 if step < 1000 else 15, generator=generator)[:2].sort().values
        gradients = torch.randn(2, 5, generator=generator)
        assert both_step(deferred, dense, ids, gradients) < 2e-5
    assert difference(deferred, dense, slice(15, 30)) > RATE, "rows that were not read wait"
    deferred.catch_up()
    assert difference(deferred, dense) < 2e-5


@pytest.mark.parametrize("size", [1e-3, 1e-6, 1e-7, 1e-8, 1e-9, 1e-11])
@pytest.mark.parametrize(("before", "bound"), [(0, 0.25), (150, 0.02), (2000, 0.012)])
def test_gradients_as_small_as_epsilon(size, before, bound):
    """The way that is left after one gradient is right to about a hundredth in the long run."""
    deferred, dense, _ = pair(2, seed=1)
    ids = torch.tensor([0])
    for _ in range(before):
        both_step(deferred, dense, ids, torch.ones(1, 5, dtype=torch.float64))
    row = torch.tensor([1])
    both_step(deferred, dense, row, torch.full((1, 5), size, dtype=torch.float64))
    (whole,) = dense.param_groups[0]["params"]
    start = whole[1].detach().clone()
    for _ in range(300):
        both_step(deferred, dense, ids, torch.ones(1, 5, dtype=torch.float64))
    deferred.catch_up()
    way, expected = deferred.weight[1] - start, whole[1] - start
    assert expected.abs().min() > 0
    torch.testing.assert_close(way, expected, rtol=bound, atol=1e-12)


def test_rows_never_read_stay():
    deferred, _, _ = pair(3, seed=2)
    before = deferred.weight.detach().clone()
    deferred.read(torch.tensor([1]))
    deferred.weight.grad[1] = 1
    deferred.step()
    deferred.catch_up()
    assert torch.equal(deferred.weight[[0, 2]], before[[0, 2]])


def test_catching_up_twice_changes_nothing():
    deferred, dense, generator = pair(7, seed=3)
    for ids in ([0, 2], [2], [1, 6], [0]):
        gradients = torch.randn(len(ids), 5, generator=generator, dtype=torch.float64)
        both_step(deferred, dense, torch.tensor(ids), gradients)
    deferred.catch_up()
    once = deferred.weight.detach().clone()
    deferred.catch_up()
    assert torch.equal(deferred.weight, once)


def test_rows_may_be_named_repeatedly():
    once, _, _ = pair(7, seed=3)
    often, _, _ = pair(7, seed=3)
    for adam, ids in ((once, [5, 2]), (often, [5, 2, 5, 5, 2])):
        adam.read(torch.tensor(ids))
        adam.weight.grad[[2, 5]] = 1.5
        adam.step()
        adam.read(torch.tensor(ids))
        adam.step()
        adam.catch_up()
    assert torch.equal(once.weight, often.weight)


def test_the_number_of_threads_changes_nothing(two_threads):
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        deferred, _, generator = pair(3000, seed=3)
        for _ in range(3):
            ids = torch.randint(3000, (1500,), generator=generator)
            deferred.read(ids)
            deferred.weight.grad[ids] = 0.5
            deferred.step()
        deferred.catch_up()
        results.append(deferred.weight.detach())
    assert torch.equal(*results)


def test_a_step_needs_rows_that_were_read():
    deferred, _, _ = pair(2, seed=4)
    with pytest.raises(AssertionError, match="step without read"):
        deferred.step()


@pytest.mark.parametrize("settled", [1, 40])
def test_sums_against_adding_up(settled):
    def factor(step):
        return 1 + 1 / step if step <= settled else 1.0

    sums = _endless_sums(0.8, factor, settled)
    assert len(sums) == settled + 1
    for first, last in ((0, 0), (0, 1), (0, settled), (settled - 1, settled), (settled, settled)):
        expected = sum(0.8 ** (step - first) * factor(step) for step in range(first + 1, last + 1))
        assert sums[first] - 0.8 ** (last - first) * sums[last] == pytest.approx(expected)
